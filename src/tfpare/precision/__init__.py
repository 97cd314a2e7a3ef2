"""Other precisions for whole graphs: computed in bfloat16, stored as float16, and back to float32."""
