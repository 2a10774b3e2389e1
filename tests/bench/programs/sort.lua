-- SPDX-License-Identifier: BSD-2-Clause
-- Sorts numbers by the library's sort with a function to compare, and strings by heap.
local n, seed = tonumber(arg[1]), 42
local function random()
	seed = (seed * 1103515245 + 12345) % 2147483648
	return seed
end
local numbers = {}
for i = 1, n do numbers[i] = random() end
table.sort(numbers, function(a, b) return a < b end)
local heap = {}
for i = 1, n // 2 do
	heap[i] = string.format("%08x", random())
	local at = i
	while at > 1 and heap[at // 2] > heap[at] do
		heap[at], heap[at // 2] = heap[at // 2], heap[at]
		at = at // 2
	end
end
local last, sum = "", 0
for left = n // 2, 1, -1 do
	local top = heap[1]
	assert(last <= top)
	last, sum = top, (sum * 31 + tonumber(top, 16)) % 1000000007
	heap[1], heap[left] = heap[left], nil
	local at = 1
	while true do
		local child = at * 2
		if not heap[child] then break end
		if heap[child + 1] and heap[child + 1] < heap[child] then child = child + 1 end
		if heap[at] <= heap[child] then break end
		heap[at], heap[child] = heap[child], heap[at]
		at = child
	end
end
print(numbers[1], numbers[n], sum)
