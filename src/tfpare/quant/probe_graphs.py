"""Small float graphs whose 8-bit form has every kernel that a layer of a kind may become."""

from __future__ import annotations

# The second convolution adds its summand; pads, pools and a join lie between them.
PROBES = {
    "Conv2D": """
        x = input(float32[2,8,8,8])
        k = const(float32[3,3,8,16])
        b = const(float32[16])
        c = Conv2D(x, k, strides=[1,1,1,1], padding="SAME")
        d = BiasAdd(c, b)
        r = Relu(d)
        m = MaxPool(r, ksize=[1,2,2,1], strides=[1,1,1,1], padding="SAME")
        l = const(float32[1,1,16,16])
        e = Conv2D(m, l, strides=[1,1,1,1], padding="VALID")
        f = Relu(e)
        n = const(float32[3,3,16,16])
        g = Conv2D(f, n, strides=[1,1,1,1], padding="SAME")
        h = AddV2(g, m)
        y = AvgPool(h, ksize=[1,2,2,1], strides=[1,2,2,1], padding="VALID")
        z = Conv2D(y, l, strides=[1,1,1,1], padding="VALID")
        return z
    """,
    "DepthwiseConv2dNative": """
        x = input(float32[2,8,8,16])
        k = const(float32[3,3,16,1])
        b = const(float32[16])
        c = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding="SAME")
        d = BiasAdd(c, b)
        z = Relu6(d)
        return z
    """,
    "MatMul": """
        x = input(float32[4,32])
        k = const(float32[32,16])
        b = const(float32[16])
        c = MatMul(x, k)
        d = BiasAdd(c, b)
        e = Relu(d)
        l = const(float32[16,8])
        z = MatMul(e, l)
        return z
    """,
}
