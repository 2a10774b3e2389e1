/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the differential tester does not try, and the differences that it
 * expects, each with its reason.
 */
#include "tests/risu/risu_host.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

/* Matched against the whole name of an encoding. */
static const struct {
	const char *pattern;
	const char *reason;
} skips[] = {
	{ "SVC|HVC|SMC|BRK|HLT|DCPS[123]", "leaves for the operating system" },
	{ "ERET.*|DRPS", "for privileged software" },
	{ "MSR_.*|MRS_.*|MSR|MRS|SYS|SYSL|AT|DC|IC|TLBI", "system registers are not user state; tests/unit covers them" },
	{ "WFI|WFE|WFIT|WFET", "waits" },
	{ "XPAC[ID]", "the size of the other side's addresses is not known" },
	{ "PAC.*|AUT.*|RETA.*|BRA.*|BLRA.*|LDRA.*", "the keys of the other side are not known" },
};

/* Mistakes of QEMU in encodings of this name and these bits, and the first major
 * version that is known not to make them. */
static const struct {
	const char *pattern;
	uint32_t mask, value;
	unsigned fixed_in;
	const char *reason;
} mistakes[] = {
	{ "FJCVTZS", 0, 0, 10, "PSTATE.Z is set for a denormal that FPCR.FZ flushed; FPToFixedJS() clears it" },
	{ "FCVTZS_fix_h", 0, 0, 10, "bits 31 to 16 of the result are copies of its sign; a scalar write clears them" },
	{ "UNALLOCATED", 0x8F3E0C00, 0x0E300800, 10, "reserved sizes of FP16 across lanes and pairwise execute" },
	{ "UNALLOCATED", 0x8F7E0C00, 0x0E780800, 10, "reserved FP16 two-register encodings execute or fail an assertion" },
	{ "UNALLOCATED", 0xBFF8FC00, 0x2F00FC00, 10, "FMOV (vector, immediate) executes with op and o2 both 1" },
};

/* Extensions of the architecture that are not implemented here. */
static const struct {
	uint32_t mask, value;
	const char *name;
} extensions[] = {
	{ 0xFFFF0000, 0x00000000, "UDF, which ends a case" },
	{ 0xFF200000, 0xD9200000, "FEAT_MTE: LDG, STG and their like" },
	{ 0xFE400000, 0x68000000, "FEAT_MTE: STGP" },
	{ 0xBF800000, 0x91800000, "FEAT_MTE: ADDG, SUBG" },
	{ 0xDFE0FC00, 0x9AC00000, "FEAT_MTE: SUBP, SUBPS" },
	{ 0xFFE0FC00, 0x9AC01000, "FEAT_MTE: IRG" },
	{ 0xFFE0FC00, 0x9AC01400, "FEAT_MTE: GMI" },
	{ 0xFF000010, 0x54000010, "FEAT_HBC: BC.cond" },
	{ 0x3B200C00, 0x19000400, "FEAT_MOPS" },
	{ 0xFFFFF3FF, 0xD503323F, "FEAT_XS: DSB nXS" },
};

static bool matches(const char *name, const char *pattern)
{
	char *whole = NULL;
	regex_t re;
	bool hit;

	if (asprintf(&whole, "^(%s)$", pattern) < 0 || regcomp(&re, whole, REG_EXTENDED | REG_NOSUB))
		abort();
	hit = regexec(&re, name, 0, NULL, 0) == 0;
	regfree(&re);
	free(whole);
	return hit;
}

const char *risu_skip_reason(const char *name)
{
	for (size_t i = 0; i < sizeof(skips) / sizeof(skips[0]); i++)
		if (matches(name, skips[i].pattern))
			return skips[i].reason;
	return NULL;
}

const char *risu_foreign_extension(uint32_t insn)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if ((insn & extensions[i].mask) == extensions[i].value)
			return extensions[i].name;
	return NULL;
}

const char *risu_known_mistake(const char *name, uint32_t insn, unsigned qemu_version)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		if (qemu_version < mistakes[i].fixed_in && matches(name, mistakes[i].pattern) &&
			(insn & mistakes[i].mask) == mistakes[i].value)
			return mistakes[i].reason;
	return NULL;
}
