/* One line of the audit log: KEYSTORE.md, "The audit log". */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/json.h"
#include "base/kdf.h"
#include "base/secret.h"
#include "keymgr/core/audit_log.h"

/* Every line ends with `,"mac":"` 64 digits `"}`. */
#define MAC_BEFORE ",\"mac\":\""
#define MAC_BEFORE_LEN 8
#define MAC_MEMBER_LEN (MAC_BEFORE_LEN + HEX_LEN(AUDIT_MAC_LEN) + 2)

enum err audit_line_make(json_t *fields, const uint8_t mac_key[static 32], char **out, size_t *len_out)
{
	char *text = json_dumps(fields, JSON_COMPACT), *line;
	uint8_t mac[AUDIT_MAC_LEN];
	size_t len;

	*out = NULL;
	if (!text)
		return ERR_NO_MEMORY;
	len = strlen(text) - 1;		/* without the closing brace */
	if (len + MAC_MEMBER_LEN > AUDIT_LINE_MAX) {
		free(text);
		return ERR_LIMIT;
	}
	line = malloc(len + MAC_MEMBER_LEN + 1);
	if (line) {
		kdf_mac(mac_key, text, len, mac, sizeof(mac));
		memcpy(line, text, len);
		memcpy(line + len, MAC_BEFORE, MAC_BEFORE_LEN);
		bytes_to_hex(mac, sizeof(mac), line + len + MAC_BEFORE_LEN);
		memcpy(line + len + MAC_MEMBER_LEN - 2, "\"}", 3);
		*out = line;
		*len_out = len + MAC_MEMBER_LEN;
	}
	free(text);
	return line ? ERR_OK : ERR_NO_MEMORY;
}

static enum err parse_fields(const json_t *fields, struct audit_line *out)
{
	long long sequence, epoch;
	const char *previous;
	enum err e;

	e = json_get_integer(fields, "sequence", &sequence);
	if (e == ERR_OK)
		e = json_get_integer(fields, "rootEpoch", &epoch);
	if (e == ERR_OK)
		e = json_get_string(fields, "previousHash", &previous);
	if (e != ERR_OK || sequence <= 0 || epoch <= 0 || epoch > UINT32_MAX)
		return ERR_FORMAT;
	out->sequence = (uint64_t)sequence;
	out->epoch = (uint32_t)epoch;
	return bytes_from_hex(previous, strlen(previous), out->previous, sizeof(out->previous));
}

enum err audit_line_parse(const char *text, size_t len, struct audit_line *out)
{
	const char *member = text + len - MAC_MEMBER_LEN;
	json_t *fields;
	enum err e;

	*out = (struct audit_line){ .text = text, .len = len };
	if (len <= MAC_MEMBER_LEN || len > AUDIT_LINE_MAX || memcmp(member, MAC_BEFORE, MAC_BEFORE_LEN) != 0 ||
	    memcmp(text + len - 2, "\"}", 2) != 0 ||
	    bytes_from_hex(member + MAC_BEFORE_LEN, HEX_LEN(AUDIT_MAC_LEN), out->mac, AUDIT_MAC_LEN) != ERR_OK)
		return ERR_FORMAT;
	e = json_parse(text, len, &fields);
	if (e != ERR_OK)
		return ERR_FORMAT;
	e = parse_fields(fields, out);
	json_decref(fields);
	return e;
}

void audit_line_hash(const struct audit_line *line, uint8_t out[static AUDIT_HASH_LEN])
{
	crypto_generichash(out, AUDIT_HASH_LEN, (const uint8_t *)line->text, line->len, NULL, 0);
}

enum err audit_line_verify(const struct audit_line *line, const uint8_t mac_key[static 32])
{
	uint8_t mac[AUDIT_MAC_LEN];

	kdf_mac(mac_key, line->text, line->len - MAC_MEMBER_LEN, mac, sizeof(mac));
	return secret_equal(mac, line->mac, sizeof(mac)) ? ERR_OK : ERR_NOT_AUTHENTIC;
}
