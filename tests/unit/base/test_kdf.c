/* Vectors made by another implementation of BLAKE2b, over the fields as base/kdf.h lays them out. */
#include "tests/lib/unit.h"

#include <string.h>
#include "base/kdf.h"

static void make_key(uint8_t key[static KDF_KEY_LEN])
{
	for (int i = 0; i < KDF_KEY_LEN; i++)
		key[i] = (uint8_t)i;
}

static void kdf_of_all_fields(void **state)
{
	uint8_t key[KDF_KEY_LEN], out[KDF_KEY_LEN];
	struct kdf_fields fields = { .suite = 1, .epoch = 2, .number = 0x0102030405060708,
				     .a = key, .b = key + 16 };

	make_key(key);
	kdf(key, KDF_BLOCK, &fields, out);
	assert_hex(out, 32, "c3012c06d8f1980da57cc23f585e226df5117632e10abdb423b03c984724273a");
}

static void kdf_without_fields_is_all_zero(void **state)
{
	static const uint8_t zeros[KDF_ID_LEN];
	struct kdf_fields fields = { .a = zeros };
	uint8_t key[KDF_KEY_LEN], out[KDF_KEY_LEN], same[KDF_KEY_LEN];

	make_key(key);
	kdf(key, KDF_TAG_PAGE, NULL, out);
	assert_hex(out, 32, "979d96cbb4b313b1b7a99bec3800c6ea38655e311d3b933de79104eb78f1070c");
	kdf(key, KDF_TAG_PAGE, &fields, same);
	assert_memory_equal(out, same, sizeof(out));
}

static void kdf_takes_a_label_of_16(void **state)
{
	uint8_t key[KDF_KEY_LEN], out[KDF_KEY_LEN];

	make_key(key);
	kdf(key, "0123456789abcdef", NULL, out);
	assert_hex(out, 32, "01458bef593728545b476daff214f74049384ac81cc6451e74391de7eb55e8b9");
}

static void kdf_depends_on_each_field(void **state)
{
	uint8_t key[KDF_KEY_LEN], id[KDF_ID_LEN] = { 1 }, out[7][KDF_KEY_LEN];
	const struct kdf_fields fields[] = { { 0 }, { .suite = 1 }, { .epoch = 1 }, { .number = 1 },
					     { .a = id }, { .b = id } };

	make_key(key);
	for (int i = 0; i < 6; i++)
		kdf(key, KDF_BLOCK, &fields[i], out[i]);
	kdf(key, KDF_XATTR, NULL, out[6]);
	for (int i = 0; i < 7; i++)
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(out[i], out[j], KDF_KEY_LEN);
}

static void kdf_mac_of_each_length(void **state)
{
	uint8_t key[KDF_KEY_LEN], out[64];

	make_key(key);
	kdf_mac(key, "rekeyfs", 7, out, 16);
	assert_hex(out, 16, "133026df3a24371c612fde2c26c00288");
	kdf_mac(key, "rekeyfs", 7, out, 32);
	assert_hex(out, 32, "8f0f38ae8a795c15368db5fa58abf9841df45436f16e278f1b2d979f911b91dc");
	kdf_mac(key, "rekeyfs", 7, out, 64);
	assert_hex(out, 64, "1438cc4146b632cc0d283a7d42a55841937ff34315231b40b995d8547bd67cdb"
			    "bd3e57bf95f6cc2e328aaab09a0102d01f5caa7a8df6b4b8b96ba45430331292");
	kdf_mac(key, NULL, 0, out, 32);
	assert_hex(out, 32, "4e51e7a913fc80137da52880fecca175bf81e117d5c68126dc2774033517ea0d");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(kdf_of_all_fields),
	cmocka_unit_test(kdf_without_fields_is_all_zero),
	cmocka_unit_test(kdf_takes_a_label_of_16),
	cmocka_unit_test(kdf_depends_on_each_field),
	cmocka_unit_test(kdf_mac_of_each_length),
};

UNIT_MAIN(tests)
