/* Finds labels that look alike, and sounds that are the same. */
#include "frontends/dataset/look_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Labels ---- */

/* The letters from U+00C0 to U+017F without their marks, and signs for the marks. ' ' stands for a
   letter without a decomposition. */
enum { FIRST_MARKED = 0xC0, LAST_MARKED = 0x17F };
static const char letters[] = "AAAAAA CEEEEIIII NOOOOO  UUUUY  aaaaaa ceeeeiiii nooooo  uuuuy y"
                              "AaAaAaCcCcCcCcDd  EeEeEeEeEeGgGgGgGgHh  IiIiIiIiI   JjKk LlLlLl "
                              "   NnNnNn   OoOoOo  RrRrRrSsSsSsSsTtTt  UuUuUuUuUuUuWwYyYZzZzZz ";
static const char marks[] = "`'^~:o ,`'^:`'^: ~`'^~:  `'^:'  `'^~:o ,`'^:`'^: ~`'^~:  `'^:' :"
                            "--uu;;''^^..vvvv  --uu..;;vv^^uu..,,^^  ~~--uu;;.   ^^,, '',,vv "
                            "   '',,vv   --uu\"\"  '',,vv''^^,,vv,,vv  ~~--uuoo\"\";;^^^^:''..vv ";

/* The combining mark of a sign: U+0300 and so on. */
static int combining(char sign)
{
    static const char signs[] = "`'^~- u.: o\"v"; /* U+0300 to U+030C; the others are below */
    if (sign == ',')
        return 0x327;
    if (sign == ';')
        return 0x328;
    return 0x300 + (int)(strchr(signs, sign) - signs);
}

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The index into the tables of the marked letter in two bytes of UTF-8, or -1 if it is none. */
static int marked(const char *text)
{
    unsigned char lead = (unsigned char)text[0], next = (unsigned char)text[1];
    if (lead < 0xC3 || lead > 0xC5 || (next & 0xC0) != 0x80)
        return -1;
    int code = (lead & 0x1F) << 6 | (next & 0x3F);
    return code >= FIRST_MARKED && code <= LAST_MARKED && letters[code - FIRST_MARKED] != ' '
               ? code - FIRST_MARKED
               : -1;
}

dv_status dv__label_key(const char *label, char **key)
{
    DV_TRY(dv_calloc(2 * strlen(label) + 1, 1, key)); /* two bytes become three at most */
    char *to = *key;
    for (const char *c = label; *c != '\0'; c++) {
        int index = marked(c);
        if (index < 0) {
            *to++ = small(*c);
            continue;
        }
        int mark = combining(marks[index]);
        *to++ = small(letters[index]);
        *to++ = (char)(0xC0 | mark >> 6);
        *to++ = (char)(0x80 | (mark & 0x3F));
        c++;
    }
    return DV_OK;
}

typedef struct label_key {
    char *key; /* owned */
    const char *label;
} label_key;

static int by_key(const void *a, const void *b)
{
    const label_key *x = a;
    const label_key *y = b;
    int order = strcmp(x->key, y->key);
    return order != 0 ? order : strcmp(x->label, y->label);
}

/* Adds the finding of `count` labels with one key. */
static dv_status add_alike(const dv__looker *looker, const label_key *keys, size_t count)
{
    const char *names[DV_FINDING_EXAMPLES];
    char text[DV__NAMES_SIZE];
    for (size_t i = 0; i < DV_FINDING_EXAMPLES; i++)
        names[i] = keys[i].label;
    dv__write_names(names, count, text, sizeof text);
    return dv__find(looker, DV_FINDING_ALIKE, count,
                    "%zu labels look alike, and are different classes: %s", count, text);
}

/* The labels are sorted by their keys, so that those that look alike are neighbours. */
dv_status dv__find_alike(const dv__looker *looker)
{
    const dv_dataset *dataset = looker->dataset;
    size_t count = dataset->label_count;
    label_key *keys;
    DV_TRY(dv_calloc(count, sizeof *keys, &keys));
    dv_status status = DV_OK;
    for (size_t i = 0; i < count && status == DV_OK; i++) {
        keys[i].label = dataset->labels[i];
        status = dv__label_key(dataset->labels[i], &keys[i].key);
    }
    if (status == DV_OK)
        qsort(keys, count, sizeof *keys, by_key);
    for (size_t i = 0, end; i < count && status == DV_OK; i = end) {
        for (end = i + 1; end < count && strcmp(keys[end].key, keys[i].key) == 0;)
            end++;
        if (end - i > 1)
            status = add_alike(looker, keys + i, end - i);
    }
    for (size_t i = 0; i < count; i++)
        free(keys[i].key);
    free(keys);
    return status;
}

/* ---- Sounds ---- */

typedef struct content_of_clip {
    uint64_t content;
    size_t clip;
} content_of_clip;

static int by_content(const void *a, const void *b)
{
    const content_of_clip *x = a;
    const content_of_clip *y = b;
    if (x->content != y->content)
        return x->content < y->content ? -1 : 1;
    return (x->clip > y->clip) - (x->clip < y->clip);
}

/* Lists the known contents of clips that are not silent, in order. The caller owns *list
   (*count). */
static dv_status list_contents(const dv_dataset *dataset, content_of_clip **list, size_t *count)
{
    *count = 0;
    DV_TRY(dv_calloc(dataset->count, sizeof **list, list));
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        if (clip->content != 0 && !dv__is_silent(clip))
            (*list)[(*count)++] = (content_of_clip){clip->content, i};
    }
    qsort(*list, *count, sizeof **list, by_content);
    return DV_OK;
}

enum { SAME_KINDS = 3 };
static const dv_finding_kind same_kinds[SAME_KINDS] = {
    DV_FINDING_SAME_IN_LABELS, DV_FINDING_SAME_IN_PARTS, DV_FINDING_SAME_IN_PART};

/* The number of sounds of one kind, and a pair of clips as an example of the first. */
typedef struct same_sounds {
    size_t count;
    dv__clip_list pair;
} same_sounds;

/* Adds a sound, which all the clips (count) have. The pair is the first clip and the first one that
   differs from it in class or part. */
static void add_same(const dv_dataset *dataset, const content_of_clip *clips, size_t count,
                     same_sounds found[SAME_KINDS])
{
    const dv_clip *first = &dataset->clips[clips[0].clip];
    size_t other[SAME_KINDS] = {0, 0, 1};
    for (size_t i = count - 1; i > 0; i--) {
        const dv_clip *clip = &dataset->clips[clips[i].clip];
        other[0] = clip->label != first->label ? i : other[0];
        other[1] = clip->part != first->part ? i : other[1];
    }
    for (int kind = 0; kind < SAME_KINDS; kind++) {
        if (other[kind] == 0)
            continue;
        if (found[kind].count++ == 0) {
            dv__clip_list_add(&found[kind].pair, clips[0].clip);
            dv__clip_list_add(&found[kind].pair, clips[other[kind]].clip);
        }
        return;
    }
}

/* The difference to tell about one clip of a pair: its class, its part, or nothing. */
static const char *told(const dv_dataset *dataset, int kind, const dv_clip *clip)
{
    return kind == 0 ? dataset->labels[clip->label] : kind == 1 ? dv__part_names[clip->part] : "";
}

static void write_pair(const dv_dataset *dataset, int kind, const size_t pair[2],
                       char text[DV__NAMES_SIZE])
{
    size_t used = 0;
    for (int i = 0; i < 2 && used < DV__NAMES_SIZE; i++) {
        const dv_clip *clip = &dataset->clips[pair[i]];
        const char *what = told(dataset, kind, clip);
        used += (size_t)snprintf(text + used, DV__NAMES_SIZE - used, "%s'%s'%s%s%s",
                                 i > 0 ? " and " : "", clip->path, what[0] != '\0' ? " (" : "",
                                 what, what[0] != '\0' ? ")" : "");
    }
}

static dv_status tell_same(const dv__looker *looker, const same_sounds found[SAME_KINDS])
{
    static const char *const wheres[SAME_KINDS] = {"in two classes", "in two parts",
                                                   "more than once in one part"};
    for (int kind = 0; kind < SAME_KINDS; kind++) {
        char pair[DV__NAMES_SIZE];
        size_t count = found[kind].count;
        if (count == 0)
            continue;
        write_pair(looker->dataset, kind, found[kind].pair.first, pair);
        DV_TRY(dv__find(looker, same_kinds[kind], count,
                        "%zu sound%s there %s, byte for byte the same under different names: %s%s",
                        count, count > 1 ? "s are" : " is", wheres[kind],
                        count > 1 ? "the first, " : "", pair));
        dv__set_examples(looker, &found[kind].pair);
    }
    return DV_OK;
}

dv_status dv__find_same(const dv__looker *looker)
{
    content_of_clip *list;
    size_t count;
    same_sounds found[SAME_KINDS] = {0};
    DV_TRY(list_contents(looker->dataset, &list, &count));
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && list[end].content == list[i].content;)
            end++;
        if (end - i > 1)
            add_same(looker->dataset, list + i, end - i, found);
    }
    free(list);
    return tell_same(looker, found);
}
