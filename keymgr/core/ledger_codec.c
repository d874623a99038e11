/* keystore.state, byte by byte: KEYSTORE.md, "The state file". */
#include <stdlib.h>
#include <string.h>
#include "base/kdf.h"
#include "keymgr/core/ledger.h"

#define MAGIC "rekeykss"
#define MAGIC_LEN 8
#define FORMAT 1
#define MAC_LEN 32
#define FIXED_LEN (8 + 8 + 32 + 8 + 8 + 8 + 4 * 4)
#define SIGHTING_LEN (UUID_LEN + 8 + 8 + 8 + 2)
#define LEASE_LEN (UUID_LEN + KEY_ID_LEN + 8 + 8 + BOOT_ID_LEN + 8)
#define SCAN_LEN (UUID_LEN + KEY_ID_LEN + MATERIAL_ID_LEN + 6 * 8 + BOOT_ID_LEN + 2)
#define USAGE_LEN (KEY_ID_LEN + MATERIAL_ID_LEN + 3 * 8 + 2 + 6)
#define TEXT_MAX 4095

static size_t whole_len(const struct ledger *l)
{
	size_t len = LEDGER_HEAD_LEN + FIXED_LEN + MAC_LEN + (size_t)l->lease_count * LEASE_LEN +
		     (size_t)l->usage_count * USAGE_LEN;

	for (uint32_t i = 0; i < l->sighting_count; i++)
		len += SIGHTING_LEN + strlen(l->sightings[i].path);
	for (uint32_t i = 0; i < l->scan_count; i++)
		len += SCAN_LEN + strlen(l->scans[i].first_unreadable);
	return len;
}

static void write_head(const struct ledger *l, const uint8_t keystore_id[static UUID_LEN], size_t len, struct writer *w)
{
	writer_bytes(w, MAGIC, MAGIC_LEN);
	writer_u16(w, FORMAT);
	writer_u16(w, 0);
	writer_u32(w, l->epoch);
	writer_u64(w, l->sequence);
	writer_u64(w, len);
	writer_bytes(w, keystore_id, UUID_LEN);
	writer_zeros(w, LEDGER_HEAD_LEN - 48);
}

static void write_sighting(const struct sighting *s, struct writer *w)
{
	writer_bytes(w, s->instance_id, UUID_LEN);
	writer_u64(w, (uint64_t)s->last_seen);
	writer_u64(w, s->checkpoint);
	writer_u64(w, s->policy_generation);
	writer_u16(w, (uint16_t)strlen(s->path));
	writer_bytes(w, s->path, strlen(s->path));
}

static void write_lease(const struct lease *l, struct writer *w)
{
	writer_bytes(w, l->instance_id, UUID_LEN);
	writer_bytes(w, l->key_id, KEY_ID_LEN);
	writer_u64(w, (uint64_t)l->taken);
	writer_u64(w, (uint64_t)l->taken_boot);
	writer_bytes(w, l->boot_id, BOOT_ID_LEN);
	writer_u64(w, (uint64_t)l->acknowledged);
}

static void write_scan(const struct scan *s, struct writer *w)
{
	writer_bytes(w, s->instance_id, UUID_LEN);
	writer_bytes(w, s->key_id, KEY_ID_LEN);
	writer_bytes(w, s->material_id, MATERIAL_ID_LEN);
	writer_u64(w, (uint64_t)s->started);
	writer_u64(w, (uint64_t)s->ended);
	writer_u64(w, s->references);
	writer_u64(w, s->unreadable);
	writer_u64(w, s->files);
	writer_u64(w, (uint64_t)s->started_boot);
	writer_bytes(w, s->boot_id, BOOT_ID_LEN);
	writer_u16(w, (uint16_t)strlen(s->first_unreadable));
	writer_bytes(w, s->first_unreadable, strlen(s->first_unreadable));
}

static void write_usage(const struct usage *u, struct writer *w)
{
	writer_bytes(w, u->ref.key_id, KEY_ID_LEN);
	writer_bytes(w, u->ref.material_id, MATERIAL_ID_LEN);
	writer_u64(w, u->data_keys);
	writer_u64(w, u->ciphertexts);
	writer_u64(w, (uint64_t)u->last_used);
	writer_u8(w, u->operation);
	writer_u8(w, u->encrypted);
	writer_zeros(w, 6);
}

enum err ledger_write(const struct ledger *l, const uint8_t keystore_id[static UUID_LEN],
		      const uint8_t mac_key[static 32], uint8_t **out, size_t *len_out)
{
	size_t len = whole_len(l);
	struct writer w;

	*out = NULL;
	if (len > LEDGER_COPY_LEN)
		return err_set(ERR_LIMIT, "the keystore's state would exceed %u MiB", LEDGER_COPY_LEN >> 20);
	*out = malloc(len);
	if (!*out)
		return ERR_NO_MEMORY;
	w = writer_over(*out, len);
	write_head(l, keystore_id, len, &w);
	writer_u64(&w, l->generation);
	writer_u64(&w, l->audit_sequence);
	writer_bytes(&w, l->audit_hash, sizeof(l->audit_hash));
	writer_u64(&w, (uint64_t)l->clock_offset);
	writer_u64(&w, (uint64_t)l->since);
	writer_u64(&w, (uint64_t)l->lost_at);
	writer_u32(&w, l->sighting_count);
	writer_u32(&w, l->lease_count);
	writer_u32(&w, l->scan_count);
	writer_u32(&w, l->usage_count);
	for (uint32_t i = 0; i < l->sighting_count; i++)
		write_sighting(&l->sightings[i], &w);
	for (uint32_t i = 0; i < l->lease_count; i++)
		write_lease(&l->leases[i], &w);
	for (uint32_t i = 0; i < l->scan_count; i++)
		write_scan(&l->scans[i], &w);
	for (uint32_t i = 0; i < l->usage_count; i++)
		write_usage(&l->usages[i], &w);
	if (w.failed || writer_len(&w) != len - MAC_LEN) {
		free(*out);
		*out = NULL;
		return ERR_INTERNAL;
	}
	kdf_mac(mac_key, *out, len - MAC_LEN, *out + len - MAC_LEN, MAC_LEN);
	*len_out = len;
	return ERR_OK;
}

enum err ledger_read_head(const uint8_t *bytes, const uint8_t keystore_id[static UUID_LEN],
			  uint64_t *sequence_out, uint32_t *epoch_out, size_t *len_out)
{
	struct cursor c = cursor_over(bytes, LEDGER_HEAD_LEN);
	const uint8_t *magic = cursor_take(&c, MAGIC_LEN), *id;
	uint16_t format = cursor_u16(&c);
	uint64_t len;

	cursor_zeros(&c, 2);
	*epoch_out = cursor_u32(&c);
	*sequence_out = cursor_u64(&c);
	len = cursor_u64(&c);
	id = cursor_take(&c, UUID_LEN);
	cursor_zeros(&c, LEDGER_HEAD_LEN - 48);
	if (c.failed || memcmp(magic, MAGIC, MAGIC_LEN) != 0 || format != FORMAT ||
	    memcmp(id, keystore_id, UUID_LEN) != 0 || len > LEDGER_COPY_LEN ||
	    len < LEDGER_HEAD_LEN + FIXED_LEN + MAC_LEN)
		return ERR_FORMAT;
	*len_out = (size_t)len;
	return ERR_OK;
}

/* A text of `len` bytes without NUL in place of `*text`. */
static enum err read_text(struct cursor *c, uint16_t len, char **text)
{
	const uint8_t *bytes = len <= TEXT_MAX ? cursor_take(c, len) : NULL;
	char *copy;

	if (!bytes || memchr(bytes, 0, len))
		return ERR_FORMAT;
	copy = strndup((const char *)bytes, len);
	if (!copy)
		return ERR_NO_MEMORY;
	free(*text);
	*text = copy;
	return ERR_OK;
}

static enum err read_sightings(struct cursor *c, struct ledger *l, uint32_t count)
{
	uint8_t id[UUID_LEN];
	struct sighting *s;
	enum err e = ERR_OK;

	for (uint32_t i = 0; e == ERR_OK && i < count; i++) {
		cursor_bytes(c, id, sizeof(id));
		e = ledger_sighting(l, id, &s);
		if (e != ERR_OK)
			break;
		s->last_seen = (int64_t)cursor_u64(c);
		s->checkpoint = cursor_u64(c);
		s->policy_generation = cursor_u64(c);
		e = read_text(c, cursor_u16(c), &s->path);
	}
	return e;
}

static enum err read_leases(struct cursor *c, struct ledger *l, uint32_t count)
{
	if (count > cursor_left(c) / LEASE_LEN)
		return ERR_FORMAT;
	l->leases = calloc(count ? count : 1, sizeof(*l->leases));
	if (!l->leases)
		return ERR_NO_MEMORY;
	for (; l->lease_count < count; l->lease_count++) {
		struct lease *a = &l->leases[l->lease_count];

		cursor_bytes(c, a->instance_id, UUID_LEN);
		cursor_bytes(c, a->key_id, KEY_ID_LEN);
		a->taken = (int64_t)cursor_u64(c);
		a->taken_boot = (int64_t)cursor_u64(c);
		cursor_bytes(c, a->boot_id, BOOT_ID_LEN);
		a->acknowledged = (int64_t)cursor_u64(c);
	}
	return ERR_OK;
}

static enum err read_scans(struct cursor *c, struct ledger *l, uint32_t count)
{
	enum err e = ERR_OK;

	if (count > cursor_left(c) / SCAN_LEN)
		return ERR_FORMAT;
	l->scans = calloc(count ? count : 1, sizeof(*l->scans));
	if (!l->scans)
		return ERR_NO_MEMORY;
	while (e == ERR_OK && l->scan_count < count) {
		struct scan *s = &l->scans[l->scan_count++];

		cursor_bytes(c, s->instance_id, UUID_LEN);
		cursor_bytes(c, s->key_id, KEY_ID_LEN);
		cursor_bytes(c, s->material_id, MATERIAL_ID_LEN);
		s->started = (int64_t)cursor_u64(c);
		s->ended = (int64_t)cursor_u64(c);
		s->references = cursor_u64(c);
		s->unreadable = cursor_u64(c);
		s->files = cursor_u64(c);
		s->started_boot = (int64_t)cursor_u64(c);
		cursor_bytes(c, s->boot_id, BOOT_ID_LEN);
		e = read_text(c, cursor_u16(c), &s->first_unreadable);
	}
	return e;
}

static enum err read_usages(struct cursor *c, struct ledger *l, uint32_t count)
{
	if (count > cursor_left(c) / USAGE_LEN)
		return ERR_FORMAT;
	l->usages = calloc(count ? count : 1, sizeof(*l->usages));
	if (!l->usages)
		return ERR_NO_MEMORY;
	for (; l->usage_count < count; l->usage_count++) {
		struct usage *u = &l->usages[l->usage_count];

		cursor_bytes(c, u->ref.key_id, KEY_ID_LEN);
		cursor_bytes(c, u->ref.material_id, MATERIAL_ID_LEN);
		u->data_keys = cursor_u64(c);
		u->ciphertexts = cursor_u64(c);
		u->last_used = (int64_t)cursor_u64(c);
		u->operation = cursor_u8(c);
		u->encrypted = cursor_u8(c);
		cursor_zeros(c, 6);
		if (u->operation > USED_MIGRATE || u->encrypted > 1)
			return ERR_FORMAT;
	}
	return ERR_OK;
}

static enum err read_entries(struct cursor *c, struct ledger *l)
{
	uint32_t sightings, leases, scans, usages;
	enum err e;

	l->generation = cursor_u64(c);
	l->audit_sequence = cursor_u64(c);
	cursor_bytes(c, l->audit_hash, sizeof(l->audit_hash));
	l->clock_offset = (int64_t)cursor_u64(c);
	l->since = (int64_t)cursor_u64(c);
	l->lost_at = (int64_t)cursor_u64(c);
	sightings = cursor_u32(c);
	leases = cursor_u32(c);
	scans = cursor_u32(c);
	usages = cursor_u32(c);
	if (sightings > LEDGER_ENTRIES_MAX || leases > LEDGER_ENTRIES_MAX || scans > LEDGER_ENTRIES_MAX ||
	    usages > LEDGER_ENTRIES_MAX)
		return ERR_FORMAT;
	e = read_sightings(c, l, sightings);
	if (e == ERR_OK)
		e = read_leases(c, l, leases);
	if (e == ERR_OK)
		e = read_scans(c, l, scans);
	if (e == ERR_OK)
		e = read_usages(c, l, usages);
	if (e == ERR_OK && (c->failed || cursor_left(c) > 0))
		e = ERR_FORMAT;
	return e;
}

enum err ledger_read(const uint8_t *bytes, size_t len, const uint8_t keystore_id[static UUID_LEN],
		     const uint8_t mac_key[static 32], struct ledger *out)
{
	struct cursor c;
	uint8_t mac[MAC_LEN];
	size_t named;
	enum err e;

	*out = (struct ledger){ 0 };
	if (len < LEDGER_HEAD_LEN)
		return ERR_TRUNCATED;
	e = ledger_read_head(bytes, keystore_id, &out->sequence, &out->epoch, &named);
	if (e == ERR_OK && named != len)
		e = ERR_TRUNCATED;
	if (e != ERR_OK)
		return e;
	kdf_mac(mac_key, bytes, len - MAC_LEN, mac, MAC_LEN);
	if (!secret_equal(mac, bytes + len - MAC_LEN, MAC_LEN))
		return ERR_NOT_AUTHENTIC;
	c = cursor_over(bytes + LEDGER_HEAD_LEN, len - LEDGER_HEAD_LEN - MAC_LEN);
	e = read_entries(&c, out);
	if (e != ERR_OK)
		ledger_release(out);
	return e;
}
