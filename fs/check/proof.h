/*
 * A proof of no use: what scans of all registered buckets found for a key, as a certificate that anybody can check.
 *
 *   {"Proof": {…}, "PublicKey": base64 of 32 bytes, "Signature": base64 of 64 bytes}
 *
 * The signature (Ed25519, by a key that the keystore derives from its root) is over "Proof" as compact JSON with sorted keys, in UTF-8.
 */
#ifndef REKEYFS_FS_CHECK_PROOF_H
#define REKEYFS_FS_CHECK_PROOF_H

#include <jansson.h>
#include "fs/check/scan.h"

/* One instance's scan as the proof (and the control socket) has it: {"InstanceId", "Files", "HeaderCopies", "References", "Unreadable", "Started", …}. */
json_t *proof_scan_json(struct bucket *b, const struct scan_result *r);
/* 1 where such a scan found nothing. */
int proof_scan_is_clean(const json_t *scan);

/* The certificate over `buckets` (an array of such scans, one for each registered instance; borrowed). */
enum err proof_sign(struct keymgr *k, const struct key_ref *key, int has_material, json_t *buckets, json_t **certificate_out);
/* ERR_NOT_AUTHENTIC: changed; ERR_FORMAT: no certificate.  `public_key_out`: whose it is. */
enum err proof_verify(const json_t *certificate, uint8_t public_key_out[static 32]);

#endif
