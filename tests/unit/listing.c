/* SPDX-License-Identifier: BSD-2-Clause */
/* See tests/unit/listing.h. */
#include "tests/unit/listing.h"

#include "emu/a64_decode.h"

#include <inttypes.h>
#include <stdio.h>
#ifdef HAVE_ZYDIS
#include <Zydis/Zydis.h>
#endif

struct listing {
	const struct jit *j;
	const uint8_t *code;
	uint32_t start;                 /* offset of the block */
	unsigned size, at;
	bool is_entry[UINT16_MAX + 1];  /* something before it leads there */
};

static void print_bytes(const struct listing *l, unsigned n, const char *text)
{
	enum { COLUMNS = 11 };

	printf("  %04x ", l->at);
	for (unsigned i = 0; i < n; i++)
		printf(" %02x", l->code[l->at + i]);
	printf("%*s  %s\n", n < COLUMNS ? (int)(3 * (COLUMNS - n)) : 0, "", text);
}

#ifdef HAVE_ZYDIS
static const char *thunk_at(const struct jit *j, uint32_t offset)
{
	const struct { uint32_t offset; const char *name; } thunks[] = {
		{ j->thunk_exit, "thunk_exit" }, { j->thunk_exit_pc, "thunk_exit_pc" }, { j->thunk_exit_link, "thunk_exit_link" },
		{ j->thunk_call, "thunk_call" }, { j->thunk_site[0], "thunk_site" }, { j->thunk_site[1], "thunk_site" },
	};

	for (unsigned i = 0; i < sizeof(thunks) / sizeof(thunks[0]); i++)
		if (thunks[i].offset == offset)
			return thunks[i].name;
	return NULL;
}

/* What describes a site stands behind the call, up to where something leads to. */
static void print_site(struct listing *l)
{
	unsigned n = 0;

	for (; l->at < l->size && !l->is_entry[l->at]; l->at += n) {
		n = 1;
		while (n < 8 && l->at + n < l->size && !l->is_entry[l->at + n])
			n++;
		print_bytes(l, n, "site");
	}
}

static void print_host(struct listing *l)
{
	ZydisDecoder decoder;
	ZydisFormatter formatter;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, ZYDIS_PADDING_DISABLED);
	while (l->at < l->size) {
		ZydisDecodedInstruction insn;
		ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
		const char *thunk = NULL;
		char text[128];
		ZyanU64 target;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, l->code + l->at, l->size - l->at, &insn, operands))) {
			print_bytes(l, 1, "not an instruction");
			l->at++;
			continue;
		}
		ZydisFormatterFormatInstruction(&formatter, &insn, operands, insn.operand_count_visible, text, sizeof(text), l->at,
			ZYAN_NULL);
		if (operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operands[0].imm.is_relative &&
		    ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&insn, &operands[0], l->at, &target))) {
			thunk = thunk_at(l->j, (uint32_t)target + l->start);
			if (target < l->size)
				l->is_entry[target] = true;
		}
		if (thunk)
			snprintf(text, sizeof(text), "%s %s", ZydisMnemonicGetString(insn.mnemonic), thunk);
		print_bytes(l, insn.length, text);
		l->at += insn.length;
		if (thunk && strcmp(thunk, "thunk_site") == 0)
			print_site(l);
	}
}
#else
static void print_host(struct listing *l)
{
	for (unsigned n; l->at < l->size; l->at += n) {
		n = l->size - l->at < 16 ? l->size - l->at : 16;
		print_bytes(l, n, "");
	}
}
#endif

void listing_print(const struct jit *j, const struct jit_block *block)
{
	static struct listing l;

	l = (struct listing){ .j = j, .code = j->buf.start + block->code, .start = block->code, .size = block->size };
	for (unsigned i = 0; i < j->n; i++)
		printf("  %" PRIx64 ":  %08x  %s%s\n", jit_pc_of(j, i), j->insn[i].word,
			j->insn[i].op == A64_OP_COUNT ? "UNDEFINED" : a64_encodings[j->insn[i].op].name,
			j->insn[i].native ? "" : ", by the interpreter");
	print_host(&l);
}
