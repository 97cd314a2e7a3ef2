"""What the 8-bit transforms share: ranges and rounding, the table of quantized ops, and the nodes around them."""
