"""Models that load through ``transformers`` from the Hugging Face hub, by family."""
