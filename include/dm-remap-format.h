/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The on-disk format of dm-remap, compiled by the kernel module and by
 * libdmremap. Everything that knows where a byte of metadata lies is here;
 * which of several copies is believed is in dm-remap-assemble.h.
 *
 * A set is one data device and up to 31 spares. A member is a device of the
 * set. Each member that carries metadata begins, at its region start, with
 *
 *	0      anchor, copy 0: who this member is; written once, at creation
 *	4 KiB  14 probe blocks: written to learn whether the device is alive
 *	60 KiB anchor, copy 1
 *	64 KiB frames: nr_frames blocks of 4 KiB, written only by commits
 *	payload_start: the data (data device) or the slots (spare)
 *
 * A spare in the tail of the data device has its region in front of the device's
 * last whole 4 KiB block, which repeats its anchor copy 0, so that it is found.
 *
 * The map is an array of records, cut into pages. Page 0 is the root (members,
 * state, policy), every other page holds DMR_PAGE_RECORDS records. A commit
 * writes each changed page to two free frames on every member, and only when
 * all those writes are durable do the frames of the older version become free.
 * Nothing that is valid is ever overwritten.
 *
 * All integers are little-endian. All sectors are 512 bytes. Reserved bytes
 * are zero. Every structure is covered by its own CRC32C (initial value and
 * final XOR ~0, csum field taken as zero, over the whole 4096 bytes).
 */
#ifndef DM_REMAP_FORMAT_H
#define DM_REMAP_FORMAT_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <asm/byteorder.h>
#else
#include <endian.h>
#define le32_to_cpu(x) le32toh(x)
#define le64_to_cpu(x) le64toh(x)
#define cpu_to_le32(x) htole32(x)
#define cpu_to_le64(x) htole64(x)
#endif

#define DMR_FORMAT_VERSION	1

#define DMR_SECTOR_SHIFT	9
#define DMR_FRAME_SIZE		4096	/* bytes: anchors, probe blocks, frames */
#define DMR_FRAME_SECTORS	8

/* Offsets from the start of a member's region, in sectors. */
#define DMR_ANCHOR_COPIES	2
#define DMR_ANCHOR0_SECTOR	0
#define DMR_PROBE_SECTOR	8
#define DMR_PROBE_BLOCKS	14
#define DMR_ANCHOR1_SECTOR	120
#define DMR_FRAMES_SECTOR	128

#define DMR_MAX_MEMBERS		32	/* member 0 is the data device */
#define DMR_MAX_PAGES		65536	/* 16,383,750 records */
#define DMR_FRAME_COPIES	2	/* of each page version, per member */
#define DMR_FRAME_SLACK		64	/* frames beyond two per page */
#define DMR_MIN_BLOCK_SECTORS	1
#define DMR_MAX_BLOCK_SECTORS	32	/* one bit each in dmr_record.invalid */
#define DMR_MAX_BLOCKS		(1ULL << 44)
#define DMR_LABEL_SIZE		128
#define DMR_ID_SIZE		128

/* --- Anchor ------------------------------------------------------------- */

#define DMR_ANCHOR_MAGIC	"dm-remap"	/* 8 bytes, no terminator */

enum dmr_role {
	DMR_ROLE_DATA = 1,	/* data device with a header: payload is the data */
	DMR_ROLE_SPARE = 2,	/* payload is slots of block_sectors each */
};

/* Unknown incompat bits refuse the member; unknown ro_compat bits too, since
 * a set is never activated read-only; unknown compat bits are ignored.
 */
#define DMR_INCOMPAT_KNOWN	0u
#define DMR_RO_COMPAT_KNOWN	0u

struct dmr_anchor {
	__u8 magic[8];
	__le32 csum;
	__le32 version;
	__le32 compat;
	__le32 ro_compat;
	__le32 incompat;
	__le32 copy;			/* 0 or 1: which place this copy is for */
	__u8 set_uuid[16];
	__u8 member_uuid[16];
	__le32 role;			/* enum dmr_role */
	__le32 block_sectors;		/* remap unit; power of two, 1 to 32 */
	__le32 nr_pages;		/* root and record pages; same on all members */
	__le32 nr_frames;		/* at least 2 * nr_pages + DMR_FRAME_SLACK */
	__le64 region_start;		/* sector of the device where copy 0 lies */
	__le64 region_sectors;		/* this region with its payload */
	__le64 payload_start;		/* sectors from region_start */
	__le64 payload_sectors;
	__le64 data_sectors;		/* length of the mapped device */
	__le64 created;			/* seconds since 1970, for people only */
	__le32 tier;			/* spare: lower tiers are used first */
	__le32 reserved0;
	char label[DMR_LABEL_SIZE];	/* name of the set, NUL-padded UTF-8 */
	__u8 reserved[4096 - 8 - 24 - 32 - 16 - 48 - 8 - DMR_LABEL_SIZE];
};

/* --- Label -------------------------------------------------------------- */

#define DMR_LABEL_MAGIC		"dmrspare"	/* 8 bytes, no terminator */
#define DMR_LABEL_VERSION	1
#define DMR_DOMAIN_SIZE		64

/*
 * The first 4 KiB of a device that may become a spare of some set, and belongs to
 * none yet. It gives way to the anchor, which lies in the same place.
 */
struct dmr_label {
	__u8 magic[8];
	__le32 csum;
	__le32 version;			/* another one: not a label that may be used */
	__u8 uuid[16];
	__le64 device_sectors;		/* length of the device that was labelled */
	__le64 created;			/* seconds since 1970 */
	__le32 tier;
	__le32 reserved0;
	char domain[DMR_DOMAIN_SIZE];	/* NUL-padded UTF-8; empty: of no domain */
	__u8 reserved[4096 - 56 - DMR_DOMAIN_SIZE];
};

/* --- Frame -------------------------------------------------------------- */

#define DMR_FRAME_MAGIC		0x52464d44u	/* "DMFR" */
#define DMR_FRAME_HEADER_SIZE	96
#define DMR_PAGE_PAYLOAD	(DMR_FRAME_SIZE - DMR_FRAME_HEADER_SIZE)

struct dmr_frame_header {
	__le32 magic;
	__le32 csum;
	__u8 set_uuid[16];
	__le32 member;		/* index of the member that this frame lies on */
	__le32 frame;		/* index of the frame on that member */
	__le32 page;		/* which page this is a version of */
	__le32 reserved0;
	__le64 gen;		/* commit that wrote it; the first is 1 */
	__le64 session;		/* random number of the activation */
	__le64 digest_before;	/* dmr_digest of all pages before this commit */
	__le64 digest_after;	/* and after it */
	__u8 reserved[DMR_FRAME_HEADER_SIZE - 72];
};

/* --- Record pages ------------------------------------------------------- */

enum dmr_record_state {
	DMR_RECORD_FREE = 0,	/* the whole record is zero */
	DMR_RECORD_REMAPPED = 1,/* block lives in (member, slot) */
	DMR_RECORD_LOST = 2,	/* block lies on the data device, some sectors lost */
	DMR_RECORD_BAD_SLOT = 3,/* (member, slot) must never be used again */
};

/*
 * One record, 16 bytes.
 *
 * key:     bits 0-3 state, bits 4-11 member, bit 12 forgotten, bits 13-19
 *          zero, bits 20-63 block
 * slot:    index of the slot on that spare; zero unless REMAPPED or BAD_SLOT
 * invalid: bit n set: sector n of the block has no content and reads as an
 *          error; never zero in a LOST record, always zero in a BAD_SLOT one
 *
 * A LOST record is forgotten if what the medium holds in those sectors is not
 * their content even where it can be read, so that no retry may believe it.
 */
struct dmr_record {
	__le64 key;
	__le32 slot;
	__le32 invalid;
};

#define DMR_RECORD_SIZE		16
#define DMR_PAGE_RECORDS	(DMR_PAGE_PAYLOAD / DMR_RECORD_SIZE)	/* 250 */

#define DMR_KEY_MEMBER_SHIFT	4
#define DMR_KEY_BLOCK_SHIFT	20
#define DMR_KEY_MEMBER		(0xffULL << DMR_KEY_MEMBER_SHIFT)
#define DMR_KEY_FORGOTTEN	(1ULL << 12)
#define DMR_KEY_RESERVED	0xfe000ULL

static inline __u64 dmr_key(unsigned int state, unsigned int member, __u64 block)
{
	return (__u64)state | (__u64)member << DMR_KEY_MEMBER_SHIFT |
	       block << DMR_KEY_BLOCK_SHIFT;
}

static inline unsigned int dmr_key_state(__u64 key)
{
	return key & 0xf;
}

static inline unsigned int dmr_key_member(__u64 key)
{
	return (key >> DMR_KEY_MEMBER_SHIFT) & 0xff;
}

static inline __u64 dmr_key_block(__u64 key)
{
	return key >> DMR_KEY_BLOCK_SHIFT;
}

struct dmr_page {
	struct dmr_frame_header header;
	struct dmr_record records[DMR_PAGE_RECORDS];
};

/* --- Root page ---------------------------------------------------------- */

enum dmr_set_state {
	DMR_SET_CLEAN = 0,	/* deactivated; the fingerprint is valid */
	DMR_SET_OPENING = 1,
	DMR_SET_OPEN = 2,	/* in use, or it crashed while in use */
	DMR_SET_CLOSING = 3,
};

enum dmr_member_state {
	DMR_MEMBER_NONE = 0,	/* entry never used */
	DMR_MEMBER_ACTIVE = 1,
	DMR_MEMBER_OUT = 2,	/* missing or failed since out_gen; may return */
	DMR_MEMBER_REMOVED = 3,	/* evacuated and taken out; never comes back */
};

#define DMR_MEMBER_NO_METADATA	1u	/* flag: adopted data device */

struct dmr_member {
	__u8 uuid[16];
	__le32 state;		/* enum dmr_member_state */
	__le32 flags;
	__le64 sectors;		/* length of its payload */
	__le64 out_gen;		/* OUT: newest commit that it may have taken part in */
	__le64 out_session;	/* OUT: the session of that commit */
	__le32 tier;
	__le32 reserved;
	__le64 join_session;	/* OUT: the session in which it was last written the map anew */
};

/*
 * What the daemon or an administrator decides and the module obeys. Values out
 * of range are refused, never clamped.
 */
struct dmr_policy {
	__le32 heal;		/* enum dmr_heal: where a lost block is rewritten */
	__le32 unreadable;	/* enum dmr_unreadable: reads of lost sectors */
	__le32 retries;		/* 0 to 10: tries beyond the one that finds the block */
	__le32 ioerr;		/* enum dmr_ioerr: what an error without a class says */
	__le32 slow_ms;		/* an I/O that takes longer is slow; 0: none is */
	__le32 sample;		/* measure one of so many I/Os; 0: none */
	__le32 breaker_streak;	/* bad blocks in a row; 0: default */
	__le32 breaker_ms;	/* 0: default */
	__le32 relocate_rate;	/* blocks a second; 0: without limit */
	__le32 scrub_rate;	/* KiB a second; 0: default */
	__le32 spare_low;	/* percent + 1; 0: default */
	__le32 lifetime;	/* seconds; 0: for ever */
	__le64 version;		/* grows with each change */
	__le64 expires;		/* seconds since 1970; of a lifetime */
};

enum dmr_heal {
	DMR_HEAL_IN_PLACE = 0,	/* rewrite and read back; a spare if that fails */
	DMR_HEAL_SPARE = 1,	/* go to a spare at once */
};

enum dmr_unreadable {
	DMR_UNREADABLE_FAIL = 0,	/* answer with an error at once */
	DMR_UNREADABLE_RETRY = 1,	/* try the medium; what reads is believed again */
};

enum dmr_ioerr {
	DMR_IOERR_PROBE = 0,	/* believed if it fails again while other places work */
	DMR_IOERR_PASS = 1,	/* passed up */
};

#define DMR_MAX_RETRIES		10
#define DMR_DEFAULT_RETRIES	0
#define DMR_MAX_SLOW_MS		600000
#define DMR_MAX_SAMPLE		65536
#define DMR_MAX_STREAK		4096
#define DMR_DEFAULT_STREAK	16
#define DMR_MIN_BREAKER_MS	100
#define DMR_MAX_BREAKER_MS	600000
#define DMR_DEFAULT_BREAKER_MS	1000
#define DMR_MIN_SCRUB_RATE	64
#define DMR_DEFAULT_SCRUB_RATE	10240
#define DMR_DEFAULT_SPARE_LOW	10
#define DMR_MAX_LIFETIME	31536000

/* How an adopted data device is recognised; empty strings are unknown. */
struct dmr_identity {
	char serial[DMR_ID_SIZE];
	char wwn[DMR_ID_SIZE];
	char partuuid[DMR_ID_SIZE];
	char path[DMR_ID_SIZE];	/* a hint only: where it was seen last */
	__le64 device_sectors;
	__le32 fingerprint;	/* ~CRC32C of the data's first bytes at clean stop */
	__le32 fingerprint_bytes;	/* how many; 0: no fingerprint */
	__u8 reserved[112];
};

#define DMR_FINGERPRINT_BYTES	131072

/* How far reading all of the data device has come. */
struct dmr_scrub {
	__le32 state;			/* as enum dmr_nl_scrub_state */
	__le32 reserved0;
	__le64 first, end;		/* blocks; end 0: none was ever started */
	__le64 position;		/* next block to be read */
	__le64 started;			/* seconds since 1970 */
	__le64 elapsed;			/* seconds that it ran */
	__le64 lost, slow, skipped;	/* blocks */
	__u8 reserved[56];
};

struct dmr_root {
	struct dmr_frame_header header;
	__le32 state;			/* enum dmr_set_state */
	__le32 nr_members;		/* entries of members[] ever used */
	__le64 activations;
	__le64 data_offset;		/* sectors; where the data begins on its device */
	__le64 data_sectors;
	__le32 block_sectors;
	__le32 nr_pages;
	__u8 reserved0[24];
	struct dmr_policy policy;
	struct dmr_identity identity;
	struct dmr_member members[DMR_MAX_MEMBERS];
	struct dmr_scrub scrub;
	__u8 reserved[DMR_PAGE_PAYLOAD - 64 - 64 - 640 - 64 * DMR_MAX_MEMBERS - 128];
};

#ifndef __cplusplus
_Static_assert(sizeof(struct dmr_anchor) == DMR_FRAME_SIZE, "anchor size");
_Static_assert(sizeof(struct dmr_frame_header) == DMR_FRAME_HEADER_SIZE, "header size");
_Static_assert(sizeof(struct dmr_record) == DMR_RECORD_SIZE, "record size");
_Static_assert(sizeof(struct dmr_page) == DMR_FRAME_SIZE, "page size");
_Static_assert(sizeof(struct dmr_member) == 64, "member size");
_Static_assert(sizeof(struct dmr_policy) == 64, "policy size");
_Static_assert(sizeof(struct dmr_label) == DMR_FRAME_SIZE, "label size");
_Static_assert(sizeof(struct dmr_scrub) == 128, "scrub size");
_Static_assert(sizeof(struct dmr_identity) == 640, "identity size");
_Static_assert(sizeof(struct dmr_root) == DMR_FRAME_SIZE, "root size");
#endif

/*
 * The digest of a set is the sum, modulo 2^64, of dmr_page_digest() over all
 * pages that were ever written. It changes with every commit by what the
 * commit changed, and tells at activation that no page of any older commit is
 * missing or out of date. The mixer is the finaliser of SplitMix64 (Steele,
 * Lea, Flood 2014).
 */
static inline __u64 dmr_mix64(__u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline __u64 dmr_page_digest(__u32 page, __u64 gen, __u64 session)
{
	return dmr_mix64(dmr_mix64(dmr_mix64(page) ^ gen) ^ session);
}

#endif /* DM_REMAP_FORMAT_H */
