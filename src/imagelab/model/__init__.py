"""Networks, and what every network takes besides its own arguments."""
