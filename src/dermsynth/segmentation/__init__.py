"""Where lesion, skin and the frame of the dermoscope are, by colour alone: of real and synthetic images alike."""
