"""Hold the fine-tuning strategies: one idea per file, named like its choice in `configs/finetune/`."""
