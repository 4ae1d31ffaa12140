"""Where in an image a network looks: heat maps."""
