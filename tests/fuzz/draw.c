#include "tests/fuzz/draw.h"
#include "engine/base/yaml.h"
#include "frontends/features/features_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_must(dv_status status)
{
    if (status == DV_OK)
        return;
    fprintf(stderr, "the fuzzer itself: %s: %s\n", dv_status_text(status), dv_error_message());
    abort();
}

/* ---- Numbers ---- */

static uint64_t next(draw *numbers)
{
    uint64_t value = numbers->state += 0x9E3779B97F4A7C15U;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
    return value ^ (value >> 31);
}

uint64_t draw_below(draw *numbers, uint64_t limit)
{
    return next(numbers) % limit;
}

double draw_share(draw *numbers)
{
    return (double)(next(numbers) >> 11) * 0x1p-53;
}

bool draw_chance(draw *numbers, double probability)
{
    return draw_share(numbers) < probability;
}

/* Draws between both ends on a logarithmic scale, small numbers more often. */
static double between(draw *numbers, double low, double high)
{
    double share = draw_share(numbers);
    return low * pow(high / low, share * share);
}

static double bounded(double value, const dv_field *field)
{
    return fmin(fmax(value, field->minimum), field->maximum);
}

/* The largest number to draw. A thousand blocks or layers are allowed, but take seconds to build
   under a sanitizer. */
static double highest(const dv_field *field)
{
    bool deep = strcmp(field->key, "blocks") == 0 || strcmp(field->key, "layers") == 0;
    return fmin(field->maximum, deep ? 4 : 1e15);
}

static int64_t whole_number(draw *numbers, const dv_field *field, const draw_hints *hints)
{
    double low = field->minimum, high = highest(field), value = low;
    switch (draw_below(numbers, 8)) {
    case 0:
        value = low;
        break;
    case 1:
        value = low + (double)draw_below(numbers, 8);
        break;
    case 2: /* a power of two, often required and seldom drawn otherwise */
        value = exp2(ceil(log2(between(numbers, fmax(low, 1), fmax(high, 1)))));
        break;
    case 3:
    case 4:
        if (hints != NULL && hints->count > 0) {
            value = (double)hints->values[draw_below(numbers, hints->count)];
            if (draw_chance(numbers, 0.5)) /* sizes go wrong near related ones */
                value *= 0.4 + 1.2 * draw_share(numbers);
            break;
        } /* fall through */
    case 5:
    case 6:
        value = between(numbers, fmax(low, 1), fmax(high, 1));
        break;
    default:
        value = draw_chance(numbers, 0.2) ? high : between(numbers, fmax(low, 1), fmax(high, 1));
        break;
    }
    return (int64_t)fmin(bounded(round(value), field), high);
}

static double number(draw *numbers, const dv_field *field)
{
    double low = field->minimum, high = fmin(field->maximum, 1e9);
    switch (draw_below(numbers, 6)) {
    case 0:
        return low;
    case 1:
        return high;
    case 2:
        return bounded(low + draw_share(numbers) * (high - low), field);
    case 3:
        return bounded(low + draw_share(numbers) * fmin(high - low, 1), field);
    default: /* down to a millionth of the range */
        return bounded(low + between(numbers, 1e-6, 1) * (high - low), field);
    }
}

/* ---- Texts and trees that the keys accept ---- */

typedef struct known_value {
    const char *key, *text;
} known_value;

static const known_value known_values[] = {
    {"freeze", "[head.bias]"},
    {"freeze", "['*.bias']"},
    {"class_weights", "balanced"},
    {"class_weights", "none"},
    {"class_weights", "[1, 2.5, 0.1]"},
    {"models", "[{name: a, layers: [{global_maxpool: }, {linear: {units: classes}}]},"
               " {name: b, layers: [{flatten: }, {linear: {units: classes}}]}]"},
    {"models", "[{name: a, layers: [{global_avgpool: }, {linear: {units: classes}}]},"
               " {name: b, layers: [{conv2d: {filters: 3, kernel: 2}}, {batchnorm: },"
               " {global_avgpool: }, {linear: {units: classes}}]}]"},
};
enum { KNOWN_VALUES = sizeof known_values / sizeof known_values[0] };

static bool is_text(const dv_field *field)
{
    return field->kind == DV_FIELD_STRING || field->kind == DV_FIELD_PATH ||
           field->kind == DV_FIELD_TREE;
}

bool draw_knows(const dv_field *field)
{
    bool found = !is_text(field);
    for (size_t i = 0; i < KNOWN_VALUES; i++)
        found = found || strcmp(known_values[i].key, field->key) == 0;
    return found;
}

static dv_tree *parsed(const char *text)
{
    dv_tree *tree;
    fuzz_must(dv_yaml_parse(text, strlen(text), "case", &tree));
    return tree;
}

dv_tree *draw_value(draw *numbers, const dv_field *field, const draw_hints *hints)
{
    char text[80];
    int count = 0;
    switch (field->kind) {
    case DV_FIELD_INT:
        snprintf(text, sizeof text, "%lld", (long long)whole_number(numbers, field, hints));
        return parsed(text);
    case DV_FIELD_PAIR:
        snprintf(text, sizeof text, "[%lld, %lld]", (long long)whole_number(numbers, field, hints),
                 (long long)whole_number(numbers, field, hints));
        return parsed(text);
    case DV_FIELD_FLOAT:
        snprintf(text, sizeof text, "%.17g", number(numbers, field));
        return parsed(text);
    case DV_FIELD_BOOL:
        return parsed(draw_chance(numbers, 0.5) ? "true" : "false");
    case DV_FIELD_ENUM:
        while (field->choices[count] != NULL)
            count++;
        snprintf(text, sizeof text, "'%s'", field->choices[draw_below(numbers, (uint64_t)count)]);
        return parsed(text);
    default:
        if (!draw_knows(field))
            return NULL;
        for (;;) {
            const known_value *known = &known_values[draw_below(numbers, KNOWN_VALUES)];
            if (strcmp(known->key, field->key) == 0)
                return parsed(known->text);
        }
    }
}
