/* Whatever a file says, it is no proof unless its signature holds. */
#include <stdint.h>
#include <stdlib.h>
#include "base/json.h"
#include "base/secret.h"
#include "fs/check/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int started;
	uint8_t public_key[32];
	json_t *certificate = NULL;

	if (!started && secret_start() != ERR_OK)
		abort();
	started = 1;
	if (json_parse((const char *)data, size, &certificate) != ERR_OK)
		return 0;
	proof_verify(certificate, public_key);
	proof_scan_is_clean(json_object_get(certificate, "Proof"));
	json_decref(certificate);
	return 0;
}
