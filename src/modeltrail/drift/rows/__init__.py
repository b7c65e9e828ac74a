"""A user's data: columns, how a frame becomes columns, which of them are what, and samples of them."""
