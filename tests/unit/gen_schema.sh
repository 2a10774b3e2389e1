#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Schemas that the generator must refuse, and what it must say.
set -u
gen=${GEN_SCHEMA:-protocol/gen_schema}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

refuse() { # SCHEMA MESSAGE
	printf '%s' "$1" > "$dir/in.json"
	if "$gen" header "$dir/out" "$dir/in.json" 2> "$dir/err"; then
		echo "accepted: $1"
		failed=1
	elif ! grep -qF "$2" "$dir/err"; then
		echo "for: $1"
		echo "expected: $2"
		echo "got: $(cat "$dir/err")"
		failed=1
	elif [ -e "$dir/out" ] || [ -e "$dir/out.tmp" ]; then
		echo "left output behind: $1"
		rm -f "$dir/out" "$dir/out.tmp"
		failed=1
	fi
}

struct() { # MEMBERS
	printf '{"types": [{"enum": "E", "doc": "d", "values": [{"name": "a", "doc": "d"}]},
	{"struct": "S", "doc": "d", "members": [%s]}]}' "$1"
}
command() { # REST
	printf '{"daemon": [{"command": "c", "summary": "s", "since": "1", "params": [], "examples": [{"params": {}}]%s}]}' "$1"
}

refuse '{' 'line 1'
refuse '[]' 'not an object'
refuse '{"typos": []}' "unknown key 'typos'"
refuse '{"types": [{"doc": "d"}]}' 'neither an enum nor a struct'
refuse '{"types": [{"enum": "E", "values": []}]}' "'doc' is missing"
refuse '{"types": [{"enum": "E", "doc": "d", "values": []}]}' '1 to 64 values'
refuse "$(struct '{"name": "x", "type": "str"}')" "'doc' is missing"
refuse "$(struct '{"name": "x", "type": "str", "doc": ""}')" "'doc' has the wrong type"
refuse "$(struct '{"name": "x", "type": "strr", "doc": "d"}')" "type 'strr' is not declared before this"
refuse "$(struct '{"name": "x", "type": "S", "doc": "d"}')" "type 'S' is not declared before this"
refuse "$(struct '{"name": "x", "type": ["str", "int"], "doc": "d"}')" 'an array has one element type'
refuse "$(struct '{"name": "x", "type": {"map": "int"}, "doc": "d"}')" 'the only map'
refuse "$(struct '{"name": "x", "type": "str", "doc": "d"}, {"name": "x", "type": "str", "doc": "d"}')" "two members named 'x'"
refuse "$(struct '{"name": "x", "type": "int", "doc": "d", "optional": true, "default": 1}')" 'a default is not optional'
refuse "$(struct '{"name": "x", "type": "int", "doc": "d", "max": "1"}')" "'max' has the wrong type"
refuse "$(command ', "oops": 1')" "unknown key 'oops'"
refuse "$(command '' | sed 's/, "examples".*]}]}/}]}/')" "'examples' is missing"
refuse "$(command '' | sed 's/{"params": {}}//')" 'no example'
refuse '{"qmp-events": [{"event": "E", "doc": "d"}]}' "'data' is missing"

exit $failed
