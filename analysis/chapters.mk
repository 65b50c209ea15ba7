# The chapters in order, and the tables that they exchange: NAME.writes lists the tables that a
# chapter saves, NAME.reads those that it reads from earlier chapters.

CHAPTERS := 01-listeners-and-tracks 02-representations 03-networks 04-descriptors 05-embeddings 06-probing 07-objections 08-stem-ablation 09-mixed-models 10-genre-networks 11-beyond-accuracy

01-listeners-and-tracks.writes := ceilings
04-descriptors.reads           := ceilings
05-embeddings.writes           := models
06-probing.reads               := ceilings models
06-probing.writes              := predictions probe_scores
07-objections.reads            := ceilings predictions
08-stem-ablation.reads         := predictions probe_scores
09-mixed-models.reads          := predictions
10-genre-networks.writes       := genre_predictions genre_settings genre_tagger genre_tone
11-beyond-accuracy.reads       := ceilings genre_predictions genre_settings genre_tagger genre_tone probe_scores
