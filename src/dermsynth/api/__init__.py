"""The functions behind `import dermsynth`, which the command line calls too: paths and plain values in, results out."""
