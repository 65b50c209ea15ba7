"""Tiny random checkpoints of every architecture on the hub, in the hub's format."""

import json

import torch
import transformers
from safetensors.torch import save_file
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    DacConfig,
    DacFeatureExtractor,
    DacModel,
    EncodecConfig,
    EncodecFeatureExtractor,
    EncodecModel,
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForPreTraining,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

SPEECH = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
PRETRAINING = Wav2Vec2Config(**SPEECH, codevector_dim=8, proj_codevector_dim=8)
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}


def _speech(folder, model, sr, normalise):
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=sr, do_normalize=normalise).save_pretrained(folder)


def _mert(folder, normalise, **options):
    model = HubertModel(HubertConfig(**SPEECH, **options))
    # as saved by its authors, with their model type and the old names of weight norm
    names = {"parametrizations.weight.original0": "weight_g"}
    names["parametrizations.weight.original1"] = "weight_v"
    state = {}
    for key, value in model.state_dict().items():
        for new, old in names.items():
            key = key.replace(new, old)
        state[key] = value.contiguous()
    folder.mkdir(parents=True)
    save_file(state, folder / "model.safetensors")
    config = model.config.to_dict() | {"model_type": "mert_model", "architectures": ["MERTModel"]}
    config |= {"feature_extractor_cqt": False, "deepnorm": False, "sample_rate": 24000}
    config |= {"auto_map": {"AutoModel": "modeling_MERT.MERTModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    Wav2Vec2FeatureExtractor(sampling_rate=24000, do_normalize=normalise).save_pretrained(folder)


def _ast(folder):
    config = ASTConfig(
        hidden_size=24, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32
    )
    ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor().save_pretrained(folder)


def _clap(folder):
    config = ClapConfig(
        audio_config={
            "patch_embeds_hidden_size": 8,
            "hidden_size": 64,
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 2, 2, 4],
        },
        text_config={
            "hidden_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "vocab_size": 300,
        },
        projection_dim=16,
    )
    model = ClapModel(config)
    for norm in model.modules():  # statistics as after training, so that they matter
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_(-30, 5)
            norm.running_var.uniform_(50, 200)
    model.save_pretrained(folder)
    ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    alphabet = [chr(c) for c in range(33, 127)] + ["Ġ"]
    vocabulary = {
        t: i for i, t in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *alphabet])
    }
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "RobertaTokenizer"})
    )


def _whisper(folder):
    config = WhisperConfig(
        d_model=24,
        encoder_layers=3,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        vocab_size=100,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=3,
        num_mel_bins=128,
    )
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)


def _encodec(folder):
    config = EncodecConfig(num_filters=4, hidden_size=16, codebook_dim=16, num_lstm_layers=1)
    EncodecModel(config).save_pretrained(folder)
    EncodecFeatureExtractor().save_pretrained(folder)


def _dac(folder):
    config = DacConfig(
        encoder_hidden_size=4, decoder_hidden_size=32, n_codebooks=2, sampling_rate=44100
    )
    DacModel(config).save_pretrained(folder)
    DacFeatureExtractor(sampling_rate=44100).save_pretrained(folder)


MAKERS = {
    "mert-v1-95m": lambda f: _mert(f, True),
    "mert-v1-330m": lambda f: _mert(f, False, **STABLE),
    "wav2vec2-base": lambda f: _speech(f, Wav2Vec2ForPreTraining(PRETRAINING), 16000, True),
    "hubert-base": lambda f: _speech(f, HubertModel(HubertConfig(**SPEECH)), 16000, True),
    "wavlm-base-plus": lambda f: _speech(f, WavLMModel(WavLMConfig(**SPEECH)), 16000, False),
    "ast": _ast,
    "clap-htsat-unfused": _clap,
    "larger-clap-music": _clap,
    "whisper-large-v3-turbo": _whisper,
    "encodec-24khz": _encodec,
    "dac-44khz": _dac,
}


def make_all(root):
    """Write one folder per model, as in ``$GROOVE_MODELS``."""
    transformers.logging.set_verbosity_error()
    for i, (name, make) in enumerate(MAKERS.items()):
        torch.manual_seed(i)
        make(root / name)
