"""Fine-tuning strategies: one idea a file, named like its choice in `configs/finetune/`."""
