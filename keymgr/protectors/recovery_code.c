#include "keymgr/protectors/recovery_code.h"

#include <sodium.h>
#include <string.h>
#include "base/kdf.h"
#include "keymgr/protectors/protector.h"

#define DIGITS 36	/* 32 of the bytes, 4 of the check */
#define CHECK_BYTES 3	/* its first 20 bits count */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The bytes and their check: what the digits encode, with 4 bits left over. */
static void with_check(const uint8_t bytes[static RECOVERY_BYTES], uint8_t out[static RECOVERY_BYTES + CHECK_BYTES])
{
	uint8_t hash[16];

	crypto_generichash(hash, sizeof(hash), bytes, RECOVERY_BYTES, (const uint8_t *)"rekeyfs-recovery", 16);
	memcpy(out, bytes, RECOVERY_BYTES);
	memcpy(out + RECOVERY_BYTES, hash, CHECK_BYTES);
	secret_wipe(hash, sizeof(hash));
}

static unsigned digit_at(const uint8_t *bytes, size_t digit)
{
	unsigned v = 0;

	for (size_t bit = 5 * digit; bit < 5 * digit + 5; bit++)
		v = v << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1);
	return v;
}

void recovery_code_text(const uint8_t bytes[static RECOVERY_BYTES], char out[static RECOVERY_CODE_LEN + 1])
{
	uint8_t all[RECOVERY_BYTES + CHECK_BYTES];

	with_check(bytes, all);
	for (size_t i = 0; i < DIGITS; i++) {
		if (i > 0 && i % 4 == 0)
			*out++ = '-';
		*out++ = alphabet[digit_at(all, i)];
	}
	*out = 0;
	secret_wipe(all, sizeof(all));
}

/* 0 to 31; -1: skip it; -2: no digit. */
static int digit_value(uint8_t c)
{
	const char *found;

	if (c == '-' || c == ' ')
		return -1;
	if (c >= 'a' && c <= 'z')
		c = (uint8_t)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	found = c ? strchr(alphabet, c) : NULL;
	return found ? (int)(found - alphabet) : -2;
}

enum err recovery_code_parse(const struct secret *text, uint8_t out[static RECOVERY_BYTES])
{
	uint8_t all[RECOVERY_BYTES + CHECK_BYTES] = { 0 }, right[RECOVERY_BYTES + CHECK_BYTES];
	size_t digits = 0;
	enum err e = ERR_OK;

	for (size_t i = 0; i < text->len && e == ERR_OK; i++) {
		int v = digit_value(text->bytes[i]);

		if (v == -1)
			continue;
		if (v < 0 || digits == DIGITS)
			e = ERR_FORMAT;
		for (int bit = 0; e == ERR_OK && bit < 5; bit++) {
			size_t at = 5 * digits + (size_t)bit;

			all[at / 8] |= (uint8_t)((v >> (4 - bit) & 1) << (7 - at % 8));
		}
		digits++;
	}
	with_check(all, right);
	right[RECOVERY_BYTES + CHECK_BYTES - 1] &= 0xf0;
	if (digits != DIGITS || !secret_equal(all, right, sizeof(all)))
		e = ERR_FORMAT;
	if (e == ERR_OK)
		memcpy(out, all, RECOVERY_BYTES);
	secret_wipe(all, sizeof(all));
	secret_wipe(right, sizeof(right));
	return e;
}

static enum err derive(const struct protector *p, const struct secret *given, uint8_t out[static PROTECTOR_SECRET_LEN])
{
	uint8_t key[KDF_KEY_LEN], bytes[RECOVERY_BYTES];

	if (recovery_code_parse(given, bytes) != ERR_OK)
		return err_set(ERR_LOCKED, "this is no recovery code, or it is mistyped");
	memcpy(key, p->salt, PROTECTOR_SALT_LEN);
	memcpy(key + PROTECTOR_SALT_LEN, "rekeyfs-recover", 16);
	kdf_mac(key, bytes, sizeof(bytes), out, PROTECTOR_SECRET_LEN);
	secret_wipe(bytes, sizeof(bytes));
	return ERR_OK;
}

const struct protector_type protector_recovery = {
	.kind = PROTECTOR_RECOVERY, .name = "recovery", .derive = derive,
};
