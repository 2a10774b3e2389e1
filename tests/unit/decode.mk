# SPDX-License-Identifier: BSD-2-Clause

# The generator of the decoder: tables that it must reject.
TESTS += tests/unit/gen_a64.sh
EXTRA_DIST += tests/unit/gen_a64.sh $(decode_tables)
decode_tables = \
	tests/decode/bad-attribute.decode \
	tests/decode/bad-character.decode \
	tests/decode/bad-duplicate-name.decode \
	tests/decode/bad-duplicate-pattern.decode \
	tests/decode/bad-feature.decode \
	tests/decode/bad-field-letter.decode \
	tests/decode/bad-field-name.decode \
	tests/decode/bad-field-sign.decode \
	tests/decode/bad-field.decode \
	tests/decode/bad-fields.decode \
	tests/decode/bad-hole-attributes.decode \
	tests/decode/bad-hole-fields.decode \
	tests/decode/bad-hole-partial.decode \
	tests/decode/bad-inside.decode \
	tests/decode/bad-letter.decode \
	tests/decode/bad-name.decode \
	tests/decode/bad-no-pattern.decode \
	tests/decode/bad-overlap.decode \
	tests/decode/bad-short.decode \
	tests/decode/bad-signs.decode \
	tests/decode/bad-size.decode \
	tests/decode/bad-three-features.decode \
	tests/decode/bad-two-letters.decode \
	tests/decode/good.decode

check_PROGRAMS += tests/unit/test_decode tests/unit/test_interp
TESTS += tests/unit/test_decode tests/unit/test_interp

tests_unit_test_decode_SOURCES = tests/unit/test_decode.c
tests_unit_test_decode_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_decode_LDADD = libemu.a $(TEST_LIBS)

# bare.c is a system side of a few lines.
tests_unit_test_interp_SOURCES = tests/unit/test_interp.c tests/unit/bare.c tests/unit/bare.h
tests_unit_test_interp_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_interp_LDADD = libemu.a libprotocol.a $(TEST_LIBS)
