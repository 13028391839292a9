"""Why: one decision, one model's answer, and what each input is worth to a model."""
