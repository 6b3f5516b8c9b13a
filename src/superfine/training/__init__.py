"""Fine-tuning: the loop, the optimiser with float32 master weights, checkpoints, and regularisers as plug-ins."""
