#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Random blocks, the JIT against the interpreter, in many processes: `make campaign`.
#
#     INSNS=n     instructions in all (default 100000000)
#     PROCS=n     processes (default: the host's processors)
#     SEED=n      where the first process begins (default: the time); each has
#                 a thousand million seeds of its own
#
# What each has tried, and its failures, shrunk to the instructions that they
# need, go to campaign.log. `JIT_SEED=n JIT_BLOCKS=1 tests/unit/test_jit` shows one again.
insns=${INSNS:-100000000}
procs=${PROCS:-$(nproc)}
seed=${SEED:-$(($(date +%s) * 1000000000))}
log=campaign.log
: > "$log"
pids=
for p in $(seq "$procs"); do
	JIT_SEED=$((seed + (p - 1) * 1000000000)) JIT_INSNS=$((insns / procs)) JIT_REPORTS=${REPORTS:-10} \
		tests/unit/test_jit > "$log.$p" 2>&1 &
	pids="$pids $!"
done
status=0
for pid in $pids; do
	wait "$pid" || status=1
done
for p in $(seq "$procs"); do
	cat "$log.$p" >> "$log"
	rm -f "$log.$p"
done
grep '^seeds' "$log"
[ $status = 0 ] || echo "FAILED: see $log"
exit $status
