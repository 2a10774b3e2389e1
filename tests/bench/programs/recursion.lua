-- SPDX-License-Identifier: BSD-2-Clause
-- Calls of functions: Fibonacci's numbers, and Takeuchi's function.
local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
local function tak(x, y, z)
	if y >= x then return z end
	return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y))
end
local n = tonumber(arg[1])
print(fib(n), tak(n // 2 + 3, n // 4 + 2, 3))
