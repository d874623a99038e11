#include <string.h>
#include "keymgr/api/operations.h"
#include "keymgr/api/shapes.h"
#include "keymgr/ctl/verb.h"

static int find(const struct invocation *i, const char *option)
{
	const struct parameter *p = i->verb->parameters;

	for (int row = 0; p && p[row].option; row++)
		if (strcmp(p[row].option, option) == 0)
			return row;
	return -1;
}

const char *invocation_value(const struct invocation *i, const char *option)
{
	int row = find(i, option);

	return row < 0 ? NULL : i->values[row];
}

int invocation_flag(const struct invocation *i, const char *option)
{
	int row = find(i, option);

	return row >= 0 && i->flags[row];
}

enum err invocation_operands(const struct invocation *i, int count)
{
	if (i->operand_count > count)
		return err_set(ERR_USAGE, "%s: unexpected (see " PROGRAM " %s --help)", i->operands[count], i->verb->name);
	if (i->operand_count < count)
		return err_set(ERR_USAGE, "%s is missing (see " PROGRAM " %s --help)", i->verb->operands, i->verb->name);
	return ERR_OK;
}

enum err invocation_request(const struct invocation *i, json_t **out)
{
	const struct parameter *p = i->verb->parameters;
	json_t *in = json_object(), *value;
	enum err e = in ? ERR_OK : ERR_NO_MEMORY;

	for (int row = 0; e == ERR_OK && p && p[row].option; row++) {
		if (!p[row].member || (!i->values[row] && !i->flags[row]))
			continue;
		e = parameter_json(&p[row], i->values[row], global.raw_blobs, &value);
		if (e == ERR_OK)
			e = shape_set(in, p[row].member, value);
	}
	if (e != ERR_OK) {
		json_decref(in);
		in = NULL;
	}
	*out = in;
	return e;
}

/* The pages of a list as one list: what `aws` prints where it was not asked for a page. */
static enum err all_pages(struct keymgr *k, const char *operation, const char *pages, json_t *in, json_t **out)
{
	json_t *all = json_array(), *page = NULL, *marker;
	enum err e = all ? ERR_OK : ERR_NO_MEMORY;

	while (e == ERR_OK) {
		e = api_call(k, operation, in, &page);
		if (e != ERR_OK)
			break;
		if (json_array_extend(all, json_object_get(page, pages)) != 0)
			e = ERR_NO_MEMORY;
		marker = json_object_get(page, "NextMarker");
		if (e == ERR_OK && marker)
			e = shape_set(in, "Marker", json_incref(marker));
		json_decref(page);
		if (!marker)
			break;
	}
	*out = e == ERR_OK ? json_pack("{s:O}", pages, all) : NULL;
	json_decref(all);
	return e == ERR_OK && !*out ? ERR_NO_MEMORY : e;
}

int verb_run_operation(struct invocation *i)
{
	const char *operation = i->verb->operation, *pages = api_pages(operation);
	json_t *in = NULL, *out = NULL;
	struct keymgr *k = NULL;
	enum err e = invocation_operands(i, 0);
	int code;

	if (e == ERR_OK)
		e = invocation_request(i, &in);
	if (e == ERR_OK)
		e = global_open(0, &k);
	if (e != ERR_OK) {
		code = verb_fail(e, NULL);
		goto out;
	}
	if (pages && !json_object_get(in, "Limit") && !json_object_get(in, "Marker"))
		e = all_pages(k, operation, pages, in, &out);
	else
		e = api_call(k, operation, in, &out);
	code = e == ERR_OK ? answer_print(operation, out) : verb_fail(e, operation);
	if (code == 0 && i->verb->after) {
		e = i->verb->after(i, k);
		code = e == ERR_OK ? 0 : verb_fail(e, NULL);
	}
out:
	json_decref(in);
	keymgr_close(k);
	return code;
}
