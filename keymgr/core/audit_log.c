#include "keymgr/core/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/uuid.h"
#include "keymgr/api/kms_error.h"
#include "keymgr/core/key_name.h"
#include "keymgr/core/manager.h"

void audit_open(struct keymgr *k)
{
	char name[NAME_ROOM];

	manager_file_name(k, EVENTS_SUFFIX, name);
	k->audit.known = 0;
	k->audit.fd = openat(k->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
}

void audit_close(struct keymgr *k)
{
	if (k->audit.fd >= 0)
		close(k->audit.fd);
	k->audit.fd = -1;
}

/* The file is still the one that the name leads to; opened anew where it is not. */
static enum err check_file(struct keymgr *k)
{
	char name[NAME_ROOM];
	struct stat held, there;

	manager_file_name(k, EVENTS_SUFFIX, name);
	if (k->audit.fd >= 0 && fstat(k->audit.fd, &held) == 0 &&
	    fstatat(k->dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    held.st_ino == there.st_ino && held.st_dev == there.st_dev)
		return ERR_OK;
	audit_close(k);
	audit_open(k);
	return k->audit.fd < 0 ? err_set_errno("cannot open %s" EVENTS_SUFFIX, k->path) : ERR_OK;
}

static int verified(struct keymgr *k, const struct audit_line *line)
{
	uint8_t mac_key[32];
	int good = keystore_mac_key(k->store, k->root->bytes, ROOT_AUDIT, line->epoch, mac_key) == ERR_OK &&
		   audit_line_verify(line, mac_key) == ERR_OK;

	secret_wipe(mac_key, sizeof(mac_key));
	return good;
}

/* `text` is the end of the file.  Its last whole line becomes the one to follow, where it is ours and not
 * older than what the ledger knows; `whole_out`: how much of the text is whole lines. */
static void take_last_line(struct keymgr *k, const char *text, size_t len, size_t *whole_out)
{
	const char *end = memrchr(text, '\n', len), *start;
	struct audit_line line;

	*whole_out = end ? (size_t)(end - text) + 1 : 0;
	k->audit.sequence = k->ledger.audit_sequence;
	memcpy(k->audit.hash, k->ledger.audit_hash, AUDIT_HASH_LEN);
	if (!end)
		return;
	start = memrchr(text, '\n', (size_t)(end - text));
	start = start ? start + 1 : text;
	if (audit_line_parse(start, (size_t)(end - start), &line) == ERR_OK && verified(k, &line) &&
	    line.sequence >= k->ledger.audit_sequence) {
		k->audit.sequence = line.sequence;
		audit_line_hash(&line, k->audit.hash);
	} else {
		log_warning("the last line of %s" EVENTS_SUFFIX " is not the key manager's: rekeyctl events --verify "
			    "says more", k->path);
	}
}

/* Finds the line to follow, and cuts off what a crash left of a line. */
static enum err find_tail(struct keymgr *k)
{
	struct stat st;
	size_t len, got, whole;
	uint64_t from;
	char *text;
	enum err e;

	if (fstat(k->audit.fd, &st) != 0)
		return err_set_errno("cannot read %s" EVENTS_SUFFIX, k->path);
	if (k->audit.known && k->audit.size == (uint64_t)st.st_size)
		return ERR_OK;
	len = (uint64_t)st.st_size < 2 * AUDIT_LINE_MAX ? (size_t)st.st_size : 2 * AUDIT_LINE_MAX;
	from = (uint64_t)st.st_size - len;
	text = malloc(len + 1);
	e = text ? file_read(k->audit.fd, text, len, from, &got) : ERR_NO_MEMORY;
	if (e == ERR_OK) {
		take_last_line(k, text, got, &whole);
		if (whole < got)
			e = file_truncate(k->audit.fd, from + whole);
		k->audit.size = from + whole;
		k->audit.known = e == ERR_OK;
	}
	free(text);
	return e;
}

static json_t *identity(void)
{
	return json_pack("{s:s, s:I, s:I}", "type", "LocalUser", "principalId", (json_int_t)getuid(),
			 "pid", (json_int_t)getpid());
}

/* Members that are there for some events only. */
static void add_optional(json_t *fields, const struct audit_event *event)
{
	char arn[KEY_ARN_LEN];

	if (event->phase != AUDIT_SINGLE)
		json_object_set_new(fields, "phase", json_string(event->phase == AUDIT_INTENT ? "intent" : "outcome"));
	if (event->request && json_object_size(event->request) > 0)
		json_object_set(fields, "requestParameters", event->request);
	if (event->key_id) {
		key_arn(event->key_id, arn);
		json_object_set_new(fields, "resources",
				    json_pack("[{s:s, s:s}]", "ARN", arn, "type", "AWS::KMS::Key"));
	}
	if (event->error_text)
		json_object_set_new(fields, "errorCode", json_string(event->error_text));
	if (event->error != ERR_OK) {
		const char *name = kms_error_name(event->error);

		json_object_set_new(fields, "errorCode", json_string(name ? name : "KMSInternalException"));
		json_object_set_new(fields, "errorMessage", json_string(err_message(event->error)));
	}
}

static json_t *make_fields(const struct keymgr *k, const struct audit_event *event)
{
	char previous[HEX_LEN(AUDIT_HASH_LEN) + 1], when[CLOCK_TEXT_LEN + 1], id[UUID_TEXT_LEN + 1];
	uint8_t event_id[UUID_LEN];
	json_t *fields;

	bytes_to_hex(k->audit.hash, AUDIT_HASH_LEN, previous);
	clock_text(clock_now(), when);
	uuid_random(event_id);
	uuid_text(event_id, id);
	fields = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:b, s:s}",
			   "eventVersion", "1.0", "sequence", (json_int_t)(k->audit.sequence + 1),
			   "rootEpoch", (json_int_t)k->store->epoch, "previousHash", previous,
			   "eventTime", when, "eventSource", "kms.amazonaws.com", "eventName", event->name,
			   "eventID", id, "userIdentity", identity(), "sourceIPAddress", "local",
			   "userAgent", program_invocation_short_name, "readOnly", event->read_only,
			   "eventType", "AwsApiCall");
	if (fields)
		add_optional(fields, event);
	return fields;
}

static enum err write_line(struct keymgr *k, char *text, size_t len, int durable)
{
	struct iovec iov[2] = { { text, len }, { (char []){ '\n' }, 1 } };
	struct audit_line line = { .text = text, .len = len };
	enum err e = file_write_vector(k->audit.fd, iov, 2, k->audit.size);

	k->audit.known = 0;
	if (e == ERR_OK && durable)
		e = file_sync(k->audit.fd);
	if (e != ERR_OK)
		return err_set(e, "cannot write %s" EVENTS_SUFFIX ": %s", k->path, err_text(e));
	audit_line_hash(&line, k->audit.hash);
	k->audit.sequence++;
	k->audit.size += len + 1;
	k->audit.known = 1;
	return ERR_OK;
}

static enum err make_line(struct keymgr *k, const struct audit_event *event, char **text, size_t *len)
{
	uint8_t mac_key[32];
	json_t *fields = make_fields(k, event);
	enum err e = fields ? ERR_OK : ERR_NO_MEMORY;

	if (e == ERR_OK)
		e = keystore_mac_key(k->store, k->root->bytes, ROOT_AUDIT, k->store->epoch, mac_key);
	if (e == ERR_OK)
		e = audit_line_make(fields, mac_key, text, len);
	secret_wipe(mac_key, sizeof(mac_key));
	json_decref(fields);
	return e;
}

enum err audit_append(struct keymgr *k, const struct audit_event *event, int durable)
{
	struct audit_event shorter = *event;
	char *text = NULL;
	size_t len = 0;
	enum err e = check_file(k);

	if (e == ERR_OK)
		e = find_tail(k);
	if (e == ERR_OK)
		e = make_line(k, event, &text, &len);
	if (e == ERR_LIMIT) {
		shorter.request = NULL;
		e = make_line(k, &shorter, &text, &len);
	}
	if (e == ERR_OK)
		e = write_line(k, text, len, durable);
	free(text);
	return e;
}
