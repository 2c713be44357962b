"""Rules, what they say of a stack, and a review by them."""
