# SPDX-License-Identifier: BSD-2-Clause
# All permutations of N numbers, and how often each must have its head turned
# over until 1 comes first: the most turns, and a checksum.
import sys


def fannkuch(n):
    order, count = list(range(n)), [0] * n
    most = checksum = index = 0
    while True:
        if order[0]:
            line, turns = order[:], 0
            while line[0]:
                head = line[0] + 1
                line[:head] = line[head - 1::-1] if head < n else line[::-1]
                turns += 1
            most = max(most, turns)
            checksum += -turns if index & 1 else turns
        # The next permutation: turn ever longer heads by one.
        i = 1
        while True:
            if i == n:
                return most, checksum
            order.insert(i, order.pop(0))
            count[i] += 1
            if count[i] <= i:
                break
            count[i] = 0
            i += 1
        index += 1


print(*fannkuch(int(sys.argv[1])))
