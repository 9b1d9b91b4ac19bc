"""One loop for every GAN family: updates, processes, checkpoints, alarms."""
