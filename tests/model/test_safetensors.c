#include "frontends/model/safetensors.h"
#include "tests/support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const float weights[2][3] = {{1.0F, -2.5F, 3e-38F}, {0.0F, -0.0F, 3e38F}};
static const double rates[2] = {0.1, -1e-300};
static const int64_t step = -7123456789;
static const unsigned char bytes[5] = {0, 1, 127, 128, 255};
static const char config[] = "model:\n  name: \"mini\"\n\t\\ \"decavox.checksum\":\"x\" \xc3\xa4\n";

static const dv_safetensors_entry sample_entries[] = {
    {.name = "rng", .dtype = DV_SAFETENSORS_U8, .rank = 1, .dim = {5}, .data = bytes},
    {.name = "conv.weight",
     .dtype = DV_SAFETENSORS_F32,
     .rank = 4,
     .dim = {2, 1, 1, 3},
     .data = weights},
    {.name = "empty", .dtype = DV_SAFETENSORS_F32, .rank = 2, .dim = {0, 4}, .data = NULL},
    {.name = "step", .dtype = DV_SAFETENSORS_I64, .rank = 0, .data = &step},
    {.name = "rates", .dtype = DV_SAFETENSORS_F64, .rank = 1, .dim = {2}, .data = rates},
};
enum { SAMPLE_COUNT = sizeof sample_entries / sizeof sample_entries[0] };

static const dv_safetensors_pair sample_metadata[] = {{"config", config}, {"note", ""}};

static void write_sample(const char *path)
{
    assert_int_equal(dv_safetensors_write(path, sample_metadata, 2, sample_entries, SAMPLE_COUNT),
                     DV_OK);
}

static void assert_message_has(const char *part)
{
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

static void assert_refused(const char *path, dv_status code, const char *part)
{
    dv_safetensors *file = NULL;
    dv_status status = dv_safetensors_read(path, &file);
    if (status != code)
        fail_msg("status %d for %s, not %d: %s", (int)status, part, (int)code, dv_error_message());
    assert_null(file);
    assert_message_has(path);
    assert_message_has(part);
}

static void assert_entry(const dv_safetensors *file, const dv_safetensors_entry *expected)
{
    const dv_safetensors_entry *entry = dv_safetensors_find(file, expected->name);
    assert_non_null(entry);
    assert_int_equal(entry->dtype, expected->dtype);
    assert_int_equal(entry->rank, expected->rank);
    for (int axis = 0; axis < entry->rank; axis++)
        assert_int_equal(entry->dim[axis], expected->dim[axis]);
    static const uintptr_t alignment[] = {4, 8, 8, 1}; /* one for each dtype */
    assert_int_equal((uintptr_t)entry->data % alignment[entry->dtype], 0);
    size_t size = dv_safetensors_bytes(expected);
    assert_int_equal(dv_safetensors_bytes(entry), size);
    if (size > 0)
        assert_memory_equal(entry->data, expected->data, size);
}

static void test_round_trip(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "round.safetensors", path);
    write_sample(path);
    dv_safetensors *file = NULL;
    assert_int_equal(dv_safetensors_read(path, &file), DV_OK);
    assert_int_equal(dv_safetensors_count(file), SAMPLE_COUNT);
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        assert_entry(file, &sample_entries[i]);
    assert_string_equal(dv_safetensors_at(file, 0)->name, "rng");
    assert_string_equal(dv_safetensors_at(file, SAMPLE_COUNT - 1)->name, "rates");
    assert_null(dv_safetensors_find(file, "conv"));
    assert_null(dv_safetensors_find(file, "__metadata__"));
    assert_string_equal(dv_safetensors_metadata(file, "config"), config);
    assert_string_equal(dv_safetensors_metadata(file, "note"), "");
    assert_null(dv_safetensors_metadata(file, "absent"));
    dv_safetensors_free(file);
    dv_safetensors_free(NULL);
}

static void test_layout_is_aligned_and_repeatable(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "layout.safetensors", path);
    write_sample(path);
    size_t size, second_size;
    unsigned char *first = file_load(path, &size);
    write_sample(path);
    unsigned char *second = file_load(path, &second_size);
    assert_int_equal(size, second_size);
    assert_memory_equal(first, second, size);
    uint64_t header_size;
    memcpy(&header_size, first, 8);
    assert_int_equal((8 + header_size) % 64, 0);
    assert_memory_equal(first + 8 + header_size, bytes, sizeof bytes);
    assert_int_equal(size, 8 + header_size + 5 + 24 + 8 + 16);
    free(first);
    free(second);
}

static void test_nothing_and_long_text(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "long.safetensors", path);
    enum { LENGTH = 300000 };
    char *text = malloc(LENGTH + 1);
    for (size_t i = 0; i < LENGTH; i++)
        text[i] = "key: \"value\"\n"[i % 13];
    text[LENGTH] = '\0';
    const dv_safetensors_pair pair = {"resolved", text};
    assert_int_equal(dv_safetensors_write(path, &pair, 1, NULL, 0), DV_OK);
    dv_safetensors *file = NULL;
    assert_int_equal(dv_safetensors_read(path, &file), DV_OK);
    assert_int_equal(dv_safetensors_count(file), 0);
    assert_string_equal(dv_safetensors_metadata(file, "resolved"), text);
    dv_safetensors_free(file);
    free(text);
}

static void test_reads_a_file_of_python(void **state)
{
    (void)state;
    float weight[24];
    for (int i = 0; i < 24; i++)
        weight[i] = (float)i / 8.0F - 1.0F;
    const int64_t steps = 123456789012345;
    const double rate[2] = {0.1, -2.5e-300};
    const unsigned char state_bytes[3] = {0, 127, 255};
    const dv_safetensors_entry expected[] = {
        {"conv.weight", DV_SAFETENSORS_F32, 4, {2, 3, 2, 2}, weight},
        {"norm.steps", DV_SAFETENSORS_I64, 0, {0}, &steps},
        {"optimizer.rate", DV_SAFETENSORS_F64, 1, {2}, rate},
        {"rng.bytes", DV_SAFETENSORS_U8, 1, {3}, state_bytes},
        {"nothing", DV_SAFETENSORS_F32, 2, {0, 4}, NULL},
    };
    dv_safetensors *file = NULL;
    assert_int_equal(dv_safetensors_read("tests/golden/python.safetensors", &file), DV_OK);
    assert_int_equal(dv_safetensors_count(file), 5);
    for (size_t i = 0; i < 5; i++)
        assert_entry(file, &expected[i]);
    assert_string_equal(dv_safetensors_metadata(file, "config"),
                        "model:\n  name: \"klein \xc3\xa4\xe2\x82\xac\"\n\ttab and \\ backslash\n");
    dv_safetensors_free(file);
}

static void test_python_reads_ours(void **state)
{
    if (system("python3 -c 'import numpy, safetensors.numpy' 2>/dev/null") != 0) {
        print_message("skipped: python3 has no numpy and safetensors here\n");
        skip();
    }
    char path[SCRATCH_PATH_SIZE];
    char command[SCRATCH_PATH_SIZE + 64];
    scratch_path(*state, "ours.safetensors", path);
    write_sample(path);
    snprintf(command, sizeof command, "python3 tests/golden/check_safetensors.py '%s'", path);
    assert_int_equal(system(command), 0);
}

static void test_writer_refuses(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "never.safetensors", path);
    const struct {
        dv_safetensors_entry entry;
        const char *part;
    } cases[] = {
        {{"a", DV_SAFETENSORS_F32, 5, {1, 1, 1, 1}, weights}, "its rank is 5"},
        {{"a", DV_SAFETENSORS_F32, -1, {0}, weights}, "its rank is -1"},
        {{"a", DV_SAFETENSORS_F32, 1, {-1}, weights}, "tensor 'a': its shape is negative"},
        {{"a", DV_SAFETENSORS_F64, 2, {INT64_C(1) << 31, INT64_C(1) << 31}, rates},
         "its shape is negative or has too many"},
        {{"a", DV_SAFETENSORS_F32, 1, {2}, NULL}, "'a' has no data"},
        {{"a", (dv_safetensors_dtype)99, 1, {2}, weights}, "there is no dtype 99"},
        {{"__metadata__", DV_SAFETENSORS_F32, 1, {1}, weights}, "'__metadata__' is given twice"},
        {{"a\nb", DV_SAFETENSORS_F32, 1, {1}, weights}, "control character"},
        {{"a\xff", DV_SAFETENSORS_F32, 1, {1}, weights}, "not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(dv_safetensors_write(path, NULL, 0, &cases[i].entry, 1), DV_EARG);
        assert_message_has(cases[i].part);
        assert_message_has(path);
    }
    const dv_safetensors_entry twice[] = {sample_entries[0], sample_entries[0]};
    assert_int_equal(dv_safetensors_write(path, NULL, 0, twice, 2), DV_EARG);
    assert_message_has("'rng' is given twice");
    const dv_safetensors_pair pairs[] = {{"decavox.checksum", "0"}, {"k", "\xff"}};
    assert_int_equal(dv_safetensors_write(path, &pairs[0], 1, NULL, 0), DV_EARG);
    assert_message_has("the name 'decavox.checksum' is given twice, or it is reserved");
    assert_int_equal(dv_safetensors_write(path, &pairs[1], 1, NULL, 0), DV_EARG);
    assert_message_has("'k' or its value is not UTF-8");
    FILE *file = fopen(path, "rb");
    assert_null(file);
}

static void test_refuses_what_is_no_file(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "missing.safetensors", path);
    assert_refused(path, DV_EIO, "No such file or directory");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, DV_EIO, "not a regular file");
    assert_refused(((scratch *)*state)->folder, DV_EIO, "not a regular file");
    scratch_path(*state, "text.safetensors", path);
    file_store(path, "", 0);
    assert_refused(path, DV_EFORMAT, "0 bytes are too few");
    const char text[] = "model:\n  name: mini, not a tensor file at all\n";
    file_store(path, text, strlen(text));
    assert_refused(path, DV_EFORMAT, "is a text, not a checkpoint (a safetensors file)");
}

static void test_every_truncation_is_refused(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "cut.safetensors", path);
    write_sample(path);
    size_t size;
    unsigned char *content = file_load(path, &size);
    for (size_t length = 0; length < size; length++) {
        file_store(path, content, length);
        assert_refused(path, DV_EFORMAT, "");
    }
    free(content);
    content = file_load("tests/golden/python.safetensors", &size);
    for (size_t length = 0; length < size; length++) {
        file_store(path, content, length);
        assert_refused(path, DV_EFORMAT, "");
    }
    free(content);
}

static void test_every_flipped_bit_is_refused(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "flip.safetensors", path);
    write_sample(path);
    size_t size;
    unsigned char *content = file_load(path, &size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        content[bit / 8] ^= (unsigned char)(1U << bit % 8);
        file_store(path, content, size);
        assert_refused(path, DV_EFORMAT, "");
        content[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    free(content);
}

/* Stores a file with this header and `data_size` zeros. */
static void store_header(const char *path, const char *header, size_t data_size)
{
    uint64_t header_size = strlen(header);
    size_t size = 8 + header_size + data_size;
    unsigned char *content = calloc(size, 1);
    memcpy(content, &header_size, 8);
    memcpy(content + 8, header, header_size);
    file_store(path, content, size);
    free(content);
}

static void test_accepts_any_order_and_odd_places(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "odd.safetensors", path);
    store_header(path,
                 "{ \"late\": {\"data_offsets\": [1, 9], \"shape\": [2], \"dtype\": \"F32\"},\n"
                 "\"none\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[1,1]},"
                 "\"early\":{\"dtype\":\"U8\",\"shape\":[1,1],\"data_offsets\":[0,1]}}  ",
                 9);
    dv_safetensors *file = NULL;
    assert_int_equal(dv_safetensors_read(path, &file), DV_OK);
    assert_string_equal(dv_safetensors_at(file, 0)->name, "early");
    assert_string_equal(dv_safetensors_at(file, 1)->name, "none");
    assert_int_equal((uintptr_t)dv_safetensors_find(file, "late")->data % 4, 0);
    assert_true(*(const float *)dv_safetensors_find(file, "late")->data == 0.0F);
    assert_null(dv_safetensors_metadata(file, "config"));
    dv_safetensors_free(file);
    store_header(path, "{}", 0);
    assert_int_equal(dv_safetensors_read(path, &file), DV_OK);
    assert_int_equal(dv_safetensors_count(file), 0);
    dv_safetensors_free(file);
}

#define ENTRY(name, dtype, shape, offsets)                                                         \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_refuses_lying_headers(void **state)
{
    static const struct {
        const char *header;
        const char *part;
    } cases[] = {
        {"", "does not start with '{'"},
        {" {}", "does not start with '{'"},
        {"[]", "does not start with '{'"},
        {"{", "not valid JSON"},
        {"{}}", "not valid JSON"},
        {"{\"a\xff\":1}", "not valid JSON"},
        {"{\"a\\u0000\":1}", "not valid JSON"},
        {"{\"a\":1}", "tensor 'a'"},
        {"{\"a\":{}}", "tensor 'a'"},
        {"{" ENTRY("a", "U8", "[8]", "[0,8]") "," ENTRY("a", "U8", "[8]", "[0,8]") "}",
         "duplicate object key"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}",
         "duplicate object key"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8],\"path\":\"/x\"}}",
         "tensor 'a'"},
        {"{" ENTRY("\\u001b[2J", "U8", "[8]", "[0,8]") "}", "control character"},
        {"{" ENTRY("w", "BF16", "[4]", "[0,8]") "}", "tensor 'w': its dtype is 'BF16'"},
        {"{" ENTRY("w", "f32", "[2]", "[0,8]") "}", "tensor 'w': its dtype is 'f32'"},
        {"{" ENTRY("w", "U8", "8", "[0,8]") "}", "tensor 'w': its shape is not a list"},
        {"{" ENTRY("w", "U8", "[8.0]", "[0,8]") "}", "dimension 0 is not a count"},
        {"{" ENTRY("w", "U8", "[2,\"4\"]", "[0,8]") "}", "dimension 1 is not a count"},
        {"{" ENTRY("w", "U8", "[-2,-4]", "[0,8]") "}", "dimension 0 is not a count"},
        {"{" ENTRY("w", "U8", "[99999999999999999999]", "[0,8]") "}", "too big integer"},
        {"{" ENTRY("w", "U8", "[1,1,1,1,8]", "[0,8]") "}", "its rank is 5, must be 0 to 4"},
        {"{" ENTRY("w", "F32", "[4611686018427387904]", "[0,0]") "}",
         "its shape has too many elements"},
        {"{" ENTRY("w", "U8", "[4294967296,4294967296]", "[0,0]") "}",
         "its shape has too many elements"},
        {"{" ENTRY("w", "F64", "[2305843009213693953]", "[0,8]") "}",
         "its shape has too many elements"},
        {"{" ENTRY("w", "U8", "[9]", "[0,8]") "}", "shape needs 9 bytes"},
        {"{" ENTRY("w", "U8", "[8]", "[8,0]") "}", "data_offsets are 8 to 0"},
        {"{" ENTRY("w", "U8", "[8]", "[-8,0]") "}", "data_offsets are -8 to 0"},
        {"{" ENTRY("w", "U8", "[8]", "[9223372036854775807,-9223372036854775801]") "}",
         "data_offsets are 9223372036854775807"},
        {"{" ENTRY("w", "U8", "[8]", "[0,8,8]") "}", "tensor 'w'"},
        {"{" ENTRY("w", "U8", "[8]", "[0]") "}", "tensor 'w'"},
        {"{" ENTRY("w", "U8", "[8]", "[0,8.0]") "}", "tensor 'w'"},
        {"{" ENTRY("w", "U8", "[7]", "[1,8]") "}", "(hole)"},
        {"{" ENTRY("v", "U8", "[3]", "[0,3]") "," ENTRY("w", "U8", "[4]", "[4,8]") "}", "(hole)"},
        {"{" ENTRY("v", "U8", "[5]", "[0,5]") "," ENTRY("w", "U8", "[4]", "[4,8]") "}",
         "tensor 'w': its data start at 4, must start at 5 (overlap)"},
        {"{" ENTRY("v", "U8", "[8]", "[0,8]") "," ENTRY("w", "U8", "[8]", "[0,8]") "}",
         "(overlap)"},
        {"{" ENTRY("v", "U8", "[8]", "[0,8]") "," ENTRY("w", "U8", "[0]", "[4,4]") "}",
         "(overlap)"},
        {"{" ENTRY("w", "U8", "[7]", "[0,7]") "}", "bytes left over"},
        {"{" ENTRY("w", "U8", "[9]", "[0,9]") "}", "cut short"},
        {"{" ENTRY("w", "U8", "[1000000000000000]", "[0,1000000000000000]") "}", "cut short"},
        {"{}", "bytes left over"},
        {"{\"__metadata__\":[]}", "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"a\":1}}", "not a string"},
        {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", "duplicate object key"},
        {"{\"__metadata__\":{\"decavox.format\":\"1\"}," ENTRY("w", "U8", "[8]", "[0,8]") "}",
         "'decavox.checksum' is missing"},
        {"{\"__metadata__\":{\"decavox.checksum\":\"0\"}," ENTRY("w", "U8", "[8]", "[0,8]") "}",
         "malformed"},
        {"{\"__metadata__\":{\"decavox.checksum\" :\"01234567\"}," ENTRY("w", "U8", "[8]",
                                                                         "[0,8]") "}",
         "malformed"},
        {"{\"__metadata__\":{\"decavox.checksum\":\"01234567\"}," ENTRY("w", "U8", "[8]",
                                                                        "[0,8]") "}",
         "checksum"},
    };
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "lying.safetensors", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        store_header(path, cases[i].header, 8);
        assert_refused(path, DV_EFORMAT, cases[i].part);
    }
}

static void test_refuses_huge_headers(void **state)
{
    static const uint64_t sizes[] = {56, 57, 100000001, UINT64_C(1) << 63, UINT64_MAX};
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "huge.safetensors", path);
    unsigned char content[8 + 55] = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memcpy(content, &sizes[i], 8);
        content[8] = '{';
        file_store(path, content, sizeof content);
        assert_refused(path, DV_EFORMAT,
                       "bytes, and the file has 63 bytes (the limit of a header is 100000000)");
    }
}

static void test_refuses_deep_nesting(void **state)
{
    enum { DEPTH = 1000000 };
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "deep.safetensors", path);
    char *header = calloc(DEPTH + 8, 1);
    memset(header, '[', DEPTH + 7);
    memcpy(header, "{\"a\":", 5);
    store_header(path, header, 0);
    free(header);
    assert_refused(path, DV_EFORMAT, "not valid JSON: maximum parsing depth");
}

/* SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). */
static uint64_t next_random(uint64_t *random)
{
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

enum { MUTATION_ROOM = 64 }; /* bytes that mutations may add */

/* Changes, removes, doubles or writes over a few bytes; returns the new size. */
static size_t mutate(unsigned char *content, size_t size, uint64_t *random)
{
    static const char *const tokens[] = {
        "0",  "-1",   "9223372036854775807", "[0,0]",   "\"U8\"", "4294967296",
        "{}", "\"\"", "\"__metadata__\":",   "\"F64\"", ",",      "\\u0000"};
    size_t place = next_random(random) % size;
    size_t length = 1 + next_random(random) % 12;
    if (length > size - place)
        length = size - place;
    const char *token = tokens[next_random(random) % (sizeof tokens / sizeof tokens[0])];
    switch (next_random(random) % 4) {
    case 0:
        content[place] = (unsigned char)next_random(random);
        return size;
    case 1:
        memmove(content + place, content + place + length, size - place - length);
        return size - length;
    case 2:
        memmove(content + place + length, content + place, size - place);
        return size + length;
    default:
        memcpy(content + place, token, strlen(token)); /* up to 19 bytes; there is room */
        return place + strlen(token) > size ? place + strlen(token) : size;
    }
}

/* Reads all memory that a reader gives out, for the sanitizers. */
static uint64_t sum_up(const dv_safetensors *file)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < dv_safetensors_count(file); i++) {
        const dv_safetensors_entry *entry = dv_safetensors_at(file, i);
        sum += strlen(entry->name);
        for (size_t k = 0; k < dv_safetensors_bytes(entry); k++)
            sum += ((const unsigned char *)entry->data)[k];
    }
    return sum;
}

/* Returns how many of `count` mutations of the file at `seed_path` were accepted. */
static int run_mutations(const char *seed_path, const char *path, int count, uint64_t *random)
{
    int accepted = 0;
    size_t size;
    unsigned char *seed = file_load(seed_path, &size);
    unsigned char *content = malloc(size + MUTATION_ROOM);
    for (int i = 0; i < count; i++) {
        memcpy(content, seed, size);
        size_t new_size = size;
        for (uint64_t more = 1 + next_random(random) % 3; more > 0; more--)
            new_size = mutate(content, new_size, random);
        uint64_t header_size;
        memcpy(&header_size, seed, 8);
        header_size += new_size - size;
        if (next_random(random) % 2 == 0) /* lets insertions pass the first check */
            memcpy(content, &header_size, 8);
        file_store(path, content, new_size);
        dv_safetensors *file = NULL;
        dv_status status = dv_safetensors_read(path, &file);
        assert_true(status == DV_EFORMAT || (status == DV_OK && sum_up(file) > 0));
        accepted += status == DV_OK;
        dv_safetensors_free(file);
    }
    free(seed);
    free(content);
    return accepted;
}

static void test_random_mutations(void **state)
{
    char seed_path[SCRATCH_PATH_SIZE];
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "seed.safetensors", seed_path);
    scratch_path(*state, "mutation.safetensors", path);
    write_sample(seed_path);
    uint64_t random = 20240607;
    /* Files of other programs have no checksum, so changes of data, and consistent ones of numbers,
       are accepted. In our own files a change is found unless it restores the same bytes. */
    assert_true(run_mutations("tests/golden/python.safetensors", path, 4000, &random) > 100);
    assert_true(run_mutations(seed_path, path, 2000, &random) < 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_layout_is_aligned_and_repeatable),
        cmocka_unit_test(test_nothing_and_long_text),
        cmocka_unit_test(test_reads_a_file_of_python),
        cmocka_unit_test(test_python_reads_ours),
        cmocka_unit_test(test_writer_refuses),
        cmocka_unit_test(test_refuses_what_is_no_file),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_every_flipped_bit_is_refused),
        cmocka_unit_test(test_accepts_any_order_and_odd_places),
        cmocka_unit_test(test_refuses_lying_headers),
        cmocka_unit_test(test_refuses_huge_headers),
        cmocka_unit_test(test_refuses_deep_nesting),
        cmocka_unit_test(test_random_mutations),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
