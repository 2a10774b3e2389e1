# SPDX-License-Identifier: BSD-2-Clause
# A loop of floating-point arithmetic in Python: the largest eigenvalue of
# a[i][j] = 1 / ((i + j) * (i + j + 1) / 2 + i + 1), by powers.
import sys


def times(v, turned):
    n = len(v)
    out = []
    for i in range(n):
        s = 0.0
        for j in range(n):
            a, b = (j, i) if turned else (i, j)
            s += v[j] / ((a + b) * (a + b + 1) / 2.0 + a + 1.0)
        out.append(s)
    return out


n = int(sys.argv[1])
u = [1.0] * n
for _ in range(4):
    v = times(times(u, False), True)
    u = times(times(v, False), True)
print("%.9f" % (sum(x * y for x, y in zip(u, v)) / sum(y * y for y in v)) ** 0.5)
