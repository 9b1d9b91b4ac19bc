"""One loop for every family: updates, processes, checkpoints, alarms."""
