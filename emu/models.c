/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPU models: what a processor says of itself, as data. Names, main
 * identification and cache geometry are those of Arm's Technical Reference
 * Manuals; features are those of the real processor that the emulator
 * implements, and the ID_AA64* registers follow from them (emu/features.def).
 *
 * All models: EL0 and EL1 in AArch64 only; little-endian data only; no RAS
 * registers; data and instruction caches coherent to the point of unification
 * for data (CTR_EL0.IDC), not for instructions (DIC is 0: IC is needed).
 */
#include "emu/vcpu_priv.h"

#include <string.h>

#define KIB 1024u

/* CLIDR_EL1: separate L1, unified L2; LoUIS 1, LoC 2, LoUU 1. */
#define CLIDR_L1_L2 (3u | 4u << 3 | 1u << 21 | 2u << 24 | 1u << 27)
/* CCSIDR_EL1 without FEAT_CCIDX: NumSets - 1, Associativity - 1, log2(line bytes) - 4. */
#define CCSIDR(size, ways) ((uint64_t)((size) / ((ways) * 64) - 1) << 13 | ((ways) - 1) << 3 | 2)

#define PARANGE_40 2u
#define PARANGE_44 4u
#define PARANGE_48 5u
#define TGRAN16 (1u << 20) /* 16 KiB granules too; 4 and 64 KiB are 0 */

#define V8_0 \
	[EMU_FEAT_FP] = true, [EMU_FEAT_AdvSIMD] = true, [EMU_FEAT_AES] = true, [EMU_FEAT_PMULL] = true, \
	[EMU_FEAT_SHA1] = true, [EMU_FEAT_SHA256] = true, [EMU_FEAT_CRC32] = true, [EMU_FEAT_PMUv3] = true, \
	[EMU_FEAT_ASID16] = true

#define V8_2 \
	V8_0, [EMU_FEAT_LSE] = true, [EMU_FEAT_RDM] = true, [EMU_FEAT_PAN] = true, [EMU_FEAT_PAN2] = true, \
	[EMU_FEAT_HPDS] = true, [EMU_FEAT_HPDS2] = true, [EMU_FEAT_LOR] = true, [EMU_FEAT_HAFDBS] = true, \
	[EMU_FEAT_TTCNP] = true, [EMU_FEAT_UAO] = true, [EMU_FEAT_DPB] = true, [EMU_FEAT_FP16] = true, \
	[EMU_FEAT_DotProd] = true, [EMU_FEAT_LRCPC] = true, [EMU_FEAT_CSV2] = true, [EMU_FEAT_CSV3] = true, \
	[EMU_FEAT_SSBS] = true, [EMU_FEAT_PMUv3p1] = true, [EMU_FEAT_Debugv8p2] = true

#define V8_5_AND_MORE \
	V8_2, [EMU_FEAT_SHA512] = true, [EMU_FEAT_SHA3] = true, [EMU_FEAT_SM3] = true, [EMU_FEAT_SM4] = true, \
	[EMU_FEAT_LSE2] = true, [EMU_FEAT_LRCPC2] = true, [EMU_FEAT_FHM] = true, [EMU_FEAT_FCMA] = true, \
	[EMU_FEAT_JSCVT] = true, [EMU_FEAT_BF16] = true, [EMU_FEAT_I8MM] = true, [EMU_FEAT_FRINTTS] = true, \
	[EMU_FEAT_FlagM] = true, [EMU_FEAT_FlagM2] = true, [EMU_FEAT_PAuth] = true, [EMU_FEAT_EPAC] = true, \
	[EMU_FEAT_PAuth2] = true, [EMU_FEAT_FPAC] = true, [EMU_FEAT_FPACCOMBINE] = true, \
	[EMU_FEAT_PACIMP] = true, [EMU_FEAT_BTI] = true, [EMU_FEAT_PAN3] = true, [EMU_FEAT_DIT] = true, \
	[EMU_FEAT_SB] = true, [EMU_FEAT_SPECRES] = true, [EMU_FEAT_DPB2] = true, [EMU_FEAT_RNG] = true, \
	[EMU_FEAT_TLBIOS] = true, [EMU_FEAT_TLBIRANGE] = true, [EMU_FEAT_IDST] = true, [EMU_FEAT_E0PD] = true, \
	[EMU_FEAT_BBM] = true, [EMU_FEAT_TTST] = true, [EMU_FEAT_TTL] = true, [EMU_FEAT_WFxT] = true, \
	[EMU_FEAT_DGH] = true, [EMU_FEAT_PMUv3p4] = true, [EMU_FEAT_PMUv3p5] = true, [EMU_FEAT_Debugv8p4] = true

static const struct emu_model models[] = {
	{
		.info = { "max", "every feature that is implemented", "arm,armv8", 48 },
		.midr = 0x000f7640, /* implementer 0: reserved for software */
		.clidr = CLIDR_L1_L2,
		.ccsidr = { { CCSIDR(32 * KIB, 4), CCSIDR(32 * KIB, 4) }, { CCSIDR(1024 * KIB, 16) } },
		.mmfr0 = PARANGE_48 | TGRAN16,
		.n_breakpoints = 6, .n_watchpoints = 4, .n_counters = 6,
		.feature = { V8_5_AND_MORE },
	},
	{
		.info = { "cortex-a53", "Arm Cortex-A53 (Armv8.0)", "arm,cortex-a53", 40 },
		.midr = 0x410fd034,
		.clidr = CLIDR_L1_L2,
		.ccsidr = { { CCSIDR(32 * KIB, 4), CCSIDR(32 * KIB, 2) }, { CCSIDR(1024 * KIB, 16) } },
		.mmfr0 = PARANGE_40,
		.n_breakpoints = 6, .n_watchpoints = 4, .n_counters = 6,
		.feature = { V8_0 },
	},
	{
		.info = { "cortex-a57", "Arm Cortex-A57 (Armv8.0)", "arm,cortex-a57", 44 },
		.midr = 0x411fd070,
		.clidr = CLIDR_L1_L2,
		.ccsidr = { { CCSIDR(32 * KIB, 2), CCSIDR(48 * KIB, 3) }, { CCSIDR(2048 * KIB, 16) } },
		.mmfr0 = PARANGE_44,
		.n_breakpoints = 6, .n_watchpoints = 4, .n_counters = 6,
		.feature = { V8_0 },
	},
	{
		.info = { "cortex-a72", "Arm Cortex-A72 (Armv8.0)", "arm,cortex-a72", 44 },
		.midr = 0x410fd083,
		.clidr = CLIDR_L1_L2,
		.ccsidr = { { CCSIDR(32 * KIB, 2), CCSIDR(48 * KIB, 3) }, { CCSIDR(1024 * KIB, 16) } },
		.mmfr0 = PARANGE_44,
		.n_breakpoints = 6, .n_watchpoints = 4, .n_counters = 6,
		.feature = { V8_0 },
	},
	{
		.info = { "cortex-a76", "Arm Cortex-A76 (Armv8.2)", "arm,cortex-a76", 40 },
		.midr = 0x414fd0b1,
		.clidr = CLIDR_L1_L2,
		.ccsidr = { { CCSIDR(64 * KIB, 4), CCSIDR(64 * KIB, 4) }, { CCSIDR(512 * KIB, 8) } },
		.mmfr0 = PARANGE_40 | TGRAN16,
		.n_breakpoints = 6, .n_watchpoints = 4, .n_counters = 6,
		.feature = { V8_2 },
	},
	{
		.info = { "neoverse-n1", "Arm Neoverse N1 (Armv8.2)", "arm,neoverse-n1", 48 },
		.midr = 0x414fd0c1,
		.clidr = CLIDR_L1_L2,
		.ccsidr = { { CCSIDR(64 * KIB, 4), CCSIDR(64 * KIB, 4) }, { CCSIDR(1024 * KIB, 8) } },
		.mmfr0 = PARANGE_48 | TGRAN16,
		.n_breakpoints = 6, .n_watchpoints = 4, .n_counters = 6,
		.feature = { V8_2 },
	},
};
#define N_MODELS (sizeof(models) / sizeof(models[0]))

const struct emu_model *emu_model_find(const char *name)
{
	for (size_t i = 0; i < N_MODELS; i++) {
		if (name && strcmp(models[i].info.name, name) == 0)
			return &models[i];
	}
	return NULL;
}

const struct emu_cpu_model_info *emu_cpu_model_at(unsigned i)
{
	return i < N_MODELS ? &models[i].info : NULL;
}

/* ---- The identification registers ---- */

/* CTR_EL0: IDC; CWG, ERG, DminLine and IminLine 64 bytes; physically tagged instruction cache. */
#define CTR (UINT64_C(1) << 31 | 1u << 28 | 4u << 24 | 4u << 20 | 4u << 16 | 3u << 14 | 4u)

struct id_field {
	uint16_t reg; /* enum emu_sysreg, EMU_SR_COUNT for none */
	uint8_t shift, value;
};

static const struct id_field id_fields[EMU_FEATURE_COUNT] = {
#define ID_NONE EMU_SR_COUNT
#define ID_PFR0 EMU_SR_ID_AA64PFR0_EL1
#define ID_PFR1 EMU_SR_ID_AA64PFR1_EL1
#define ID_DFR0 EMU_SR_ID_AA64DFR0_EL1
#define ID_ISAR0 EMU_SR_ID_AA64ISAR0_EL1
#define ID_ISAR1 EMU_SR_ID_AA64ISAR1_EL1
#define ID_ISAR2 EMU_SR_ID_AA64ISAR2_EL1
#define ID_MMFR0 EMU_SR_ID_AA64MMFR0_EL1
#define ID_MMFR1 EMU_SR_ID_AA64MMFR1_EL1
#define ID_MMFR2 EMU_SR_ID_AA64MMFR2_EL1
#define FEATURE(name, reg, shift, value) [EMU_##name] = { ID_##reg, shift, value },
#include "emu/features.def"
#undef FEATURE
};

void emu_model_reset(struct emu_cpu *cpu)
{
	const struct emu_model *model = emu_model(cpu);
	uint64_t *sys = cpu->sys;

	sys[EMU_SR_MIDR_EL1] = model->midr;
	sys[EMU_SR_REVIDR_EL1] = model->revidr;
	sys[EMU_SR_MPIDR_EL1] = UINT64_C(1) << 31 | emu_system_mpidr(cpu->system, cpu->index);
	sys[EMU_SR_CTR_EL0] = CTR;
	sys[EMU_SR_CLIDR_EL1] = model->clidr;

	sys[EMU_SR_ID_AA64PFR0_EL1] = 0x11 | (cpu->system->has_gic ? UINT64_C(1) << 24 : 0);
	if (model->feature[EMU_FEAT_FP16])
		sys[EMU_SR_ID_AA64PFR0_EL1] |= 1u << 16 | 1u << 20; /* FP, AdvSIMD: with half precision */
	sys[EMU_SR_ID_AA64PFR1_EL1] = 0;
	sys[EMU_SR_ID_AA64ISAR0_EL1] = sys[EMU_SR_ID_AA64ISAR1_EL1] = sys[EMU_SR_ID_AA64ISAR2_EL1] = 0;
	sys[EMU_SR_ID_AA64MMFR0_EL1] = model->mmfr0;
	sys[EMU_SR_ID_AA64MMFR1_EL1] = sys[EMU_SR_ID_AA64MMFR2_EL1] = 0;
	/* Debug: Armv8.0 or what a feature says; two context-aware breakpoints; no double lock. */
	sys[EMU_SR_ID_AA64DFR0_EL1] = 6 | (uint64_t)(model->n_breakpoints - 1) << 12 |
		(uint64_t)(model->n_watchpoints - 1) << 20 | UINT64_C(1) << 28 | UINT64_C(15) << 36;

	for (unsigned f = 0; f < EMU_FEATURE_COUNT; f++) {
		const struct id_field *field = &id_fields[f];
		if (!model->feature[f] || field->reg == EMU_SR_COUNT)
			continue;
		uint64_t *reg = &sys[field->reg];
		if ((*reg >> field->shift & 15) < field->value)
			*reg = (*reg & ~(UINT64_C(15) << field->shift)) | (uint64_t)field->value << field->shift;
	}
}
