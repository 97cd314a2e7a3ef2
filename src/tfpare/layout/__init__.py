"""The layout of a graph's tensors: what each op is in the other layout, and which ops to convert."""
