/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CRC32C, the raw update without inversions: the polynomial 0x1EDC6F41 of
 * Castagnoli, Braeuer and Herrmann (1993), as in iSCSI (RFC 3720, appendix B.4),
 * bit-reflected 0x82F63B78. By the processor's instruction where it is sure to
 * be there, else by eight tables, eight bytes a step.
 */
#include "private.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_SSE42 1

__attribute__((target("sse4.2")))
static u32 crc32c_sse42(u32 crc, const uint8_t *p, size_t size)
{
	u64 wide = crc, word;

	for (; size >= 8; size -= 8, p += 8) {
		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = wide;
	while (size--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

static u32 table[8][256];

__attribute__((constructor))
static void crc32c_init(void)
{
	u32 crc;
	int i, k;

	for (i = 0; i < 256; i++) {
		crc = i;
		for (k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
		table[0][i] = crc;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

u32 dmri_crc32c_tables(u32 crc, const void *data, size_t size)
{
	const uint8_t *p = data;

	for (; size >= 8; size -= 8, p += 8) {
		crc ^= p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
		crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^
		      table[5][crc >> 16 & 0xff] ^ table[4][crc >> 24] ^
		      table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
	}
	while (size--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

u32 dmr_crc32c(u32 crc, const void *data, size_t size)
{
#ifdef HAVE_SSE42
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(crc, data, size);
#endif
	return dmri_crc32c_tables(crc, data, size);
}
