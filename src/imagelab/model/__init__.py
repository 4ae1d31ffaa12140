"""Networks, and the options that every network takes in addition to its own arguments."""
