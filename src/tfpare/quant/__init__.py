"""8-bit inference: ranges from data, what is quantized, and the kernels that compute with it."""
