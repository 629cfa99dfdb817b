/* Manifests in the many forms that people use. */
#include "tests/support/dataset_folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void table(void **state)
{
    char path[PATH_SIZE];
    write_file(*state, "m.csv",
               "\xEF\xBB\xBFpath,label,speaker,split\r\n"
               "b.wav,yes,ann,train\r\n"
               "\r\n"
               "\"a, \"\"b\"\".wav\",\"no, no\",bob,test\r\n"
               "/abs/c.wav,yes,,\r\n"
               "d.wav,yes,\"eve\",validation"); /* no newline at the end */
    dv_dataset dataset;
    open_good(path_in(*state, "m.csv", path), &dataset);
    assert_int_equal(dataset.count, 4);
    assert_string_equal(dataset.clips[0].path, "/abs/c.wav");
    assert_false(dataset.clips[0].part_given);
    assert_clip(&dataset, 1, "a, \"b\".wav", "no, no", "bob", -1);
    assert_string_equal(dataset.clips[1].path, path_in(*state, "a, \"b\".wav", path));
    assert_int_equal(dataset.clips[1].part, DV_PART_TEST);
    assert_int_equal(dataset.clips[2].part, DV_PART_TRAIN);
    assert_true(dataset.clips[2].part_given);
    assert_int_equal(dataset.clips[3].part, DV_PART_VALIDATION);

    dv_data_config config = {.split = "official", .test = 0.5, .validation = 0.5};
    assert_int_equal(dv_dataset_split(&dataset, &config), DV_OK);
    assert_int_equal(dataset.clips[0].part, DV_PART_TRAIN);
    assert_int_equal(dataset.clips[1].part, DV_PART_TEST);
    assert_int_equal(dataset.clips[2].part, DV_PART_TRAIN);
    assert_int_equal(dataset.clips[3].part, DV_PART_VALIDATION);
    dv_dataset_free(&dataset);

    write_file(*state, "n.csv", "label,path\nyes,b.wav\n"); /* columns in any order */
    open_good(path_in(*state, "n.csv", path), &dataset);
    assert_clip(&dataset, 0, "b.wav", "yes", "", -1);
    dv_dataset_free(&dataset);
}

/* Writes any bytes, zeros included. */
static void write_bytes(const char *path, const char *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static void bad_manifests(void **state)
{
    static const struct {
        const char *text;
        dv_status code;
        const char *message;
    } cases[] = {
        {"path,speaker\n", DV_EFORMAT,
         "m.csv:1: no column 'label': the first line names the columns"},
        {"", DV_EFORMAT, "m.csv:1: no column 'path'"},
        {"path,label,path\n", DV_EFORMAT, "m.csv:1: the column 'path' is there twice"},
        {"path,label\na,b\n\nc\n", DV_EFORMAT,
         "m.csv:4: the line has 1 field, and the header has 2"},
        {"path,label\na,b,c,d,e\n", DV_EFORMAT,
         "m.csv:2: the line has 5 fields, and the header has 2"},
        {"path,label,split\na,b,\"\"\nc,d,tets\n", DV_EFORMAT,
         "m.csv:3: unknown split 'tets'; did you mean 'test'?"},
        {"path,label,split\na,b,xxxxxxxxx\n", DV_EFORMAT, "known are train, validation, test"},
        {"path,label\n\"x\ny\",b\n,c\n", DV_EFORMAT, "m.csv:4: the path is empty"},
        {"path,label\na,\n", DV_EFORMAT, "m.csv:2: the label is empty"},
        {"path,label\na,\"b\n\n", DV_EFORMAT, "m.csv:2: the quote is never closed"},
        {"path,label\na,\"b\"c\n", DV_EFORMAT, "m.csv:2: 'c' stands behind the closing quote"},
        {"path,label\na,b\"c\"\n", DV_EFORMAT, "m.csv:2: a quote stands inside a field"},
        {"path,label\na,b\rc\n", DV_EFORMAT, "m.csv:2: a carriage return"},
        {"path,label\na,b\nc,d\na,c\n", DV_EFORMAT,
         "m.csv:4: line 2 names the same clip, and the two lines give it two labels"},
        {"path,label\n", DV_EFORMAT, "holds no clip (the manifest lists none)"},
        {"path,label,speaker\na,b,ann\n\na,b,bob\n", DV_EFORMAT,
         "m.csv:4: line 2 names the same clip"},
        {"path,label,split\na,b,train\na,b,test\n", DV_EFORMAT, "the two lines give it two parts"},
        {"path,label,split\na,b,\na,b,train\n", DV_EFORMAT, "the two lines give it two parts"},
        {"/x/a.wav,0,ann\n/x/b.wav,1,bob\n", DV_EFORMAT,
         "m.csv:1: no column 'path': the first line names the columns, for example "
         "path,label,speaker,split (the last two need not be), and each further line is a clip, "
         "for "
         "example clips/1.wav,yes,ann,train"},
        {"file,filename,label\n", DV_EFORMAT,
         "m.csv:1: both 'file' and 'filename' may be the column 'path'"},
        {"Path,label,path\n", DV_EFORMAT, "m.csv:1: the column 'path' is there twice"},
        {"path,label\na,b\nhttps://example.org/a.wav,c\n", DV_EFORMAT,
         "m.csv:3: 'https://example.org/a.wav' is an address"},
        {"path;label\na;b\nc,d\n", DV_EFORMAT,
         "m.csv:3: the line has 1 field, and the header has 2"},
        {"path,label\na,\"b\nc\"\n", DV_EFORMAT, "m.csv:2: the label has a control character"},
        {"path,label\na,b\x7f\n", DV_EFORMAT, "m.csv:2: the label has a control character"},
        {"path,label\na,b\xC2\x9B\n", DV_EFORMAT, "m.csv:2: the label has a control character"},
        {"path,label\na,b \n", DV_EFORMAT, "m.csv:2: the label 'b ' begins or ends with a blank"},
        {"path,label\na,\" b\"\n", DV_EFORMAT, "m.csv:2: the label ' b' begins or ends with a"},
        {"path,label,speaker\na,b,ann \n", DV_EFORMAT,
         "m.csv:2: the speaker 'ann ' begins or ends"},
    };
    char path[PATH_SIZE];
    path_in(*state, "m.csv", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(*state, "m.csv", cases[i].text);
        assert_open_fails(path, cases[i].code, cases[i].message);
    }
    write_bytes(path, "path,label\na\0,b\n", 16);
    assert_open_fails(path, DV_EFORMAT, "is not a text: byte 12 is zero");
}

/* Names go into configurations and reports as valid text. */
static void names_beyond_utf8(void **state)
{
    char path[PATH_SIZE];
    dv_dataset dataset;
    write_file(*state, "m.csv", "path,label,speaker\na.wav,caf\xE9,ann\n");
    assert_int_equal(dv_dataset_open(path_in(*state, "m.csv", path), &dataset), DV_EFORMAT);
    assert_message("m.csv:2: the label 'caf");
    write_file(*state, "m.csv", "path,label,speaker\na.wav,caf\xC3\xA9,Ren\xE9\n");
    assert_int_equal(dv_dataset_open(path, &dataset), DV_EFORMAT);
    assert_message("m.csv:2: the speaker 'Ren");
    write_file(*state, "m.csv", "path,label,speaker\n\xE9.wav,caf\xC3\xA9,ann\n");
    open_good(path, &dataset); /* a file is found by its bytes */
    dv_dataset_free(&dataset);
    write_bytes(path, "\xFF\xFEp\0a\0", 6);
    assert_open_fails(path, DV_EFORMAT, "m.csv: the text is stored as UTF-16");
    assert_message("iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE");
    write_bytes(path, "\xFE\xFF\0p\0a", 6);
    assert_open_fails(path, DV_EFORMAT, "stored as UTF-16");
}

/* Two clips, "yes" by ann in the test part and "no" by bob in training, described in many ways.
   `note` is the only note, NULL for no note. */
static const struct manifest_case {
    const char *name, *text, *note;
} manifest_cases[] = {
    {"semicolons", "path;label;speaker;split\na.wav;yes;ann;test\nb.wav;no;bob;train\n", NULL},
    {"tabs", "path\tlabel\tspeaker\tsplit\na.wav\tyes\tann\ttest\nb.wav\tno\tbob\ttrain\n", NULL},
    {"blanks", "path, label, speaker,\tsplit\na.wav, yes, ann, test\nb.wav, \"no\", bob, train\n",
     NULL},
    {"empty between tabs",
     "path\t label\tx\tspeaker\tsplit\na.wav\t yes\t\tann\t test\nb.wav\tno\t\tbob\ttrain",
     "these columns are not read: 'x'"},
    {"quoted header",
     "\"path\";\"label\";\"speaker\";\"split\"\na.wav;yes;ann;test\n"
     "b.wav;no;bob;train\n",
     NULL},
    {"a separator in quotes",
     "\"a;b\",path,label,speaker,split\n1,a.wav,yes,ann,test\n"
     "2,b.wav,no,bob,train\n",
     "these columns are not read: 'a;b'"},
    {"carriage returns", "path,label,speaker,split\ra.wav,yes,ann,test\rb.wav,no,bob,train\r",
     NULL},
    {"upper case", "Path,LABEL,Speaker,Split\na.wav,yes,ann,Test\nb.wav,no,bob,TRAIN\n", NULL},
    {"other names", "Filename,Class,client_id,subset\na.wav,yes,ann,eval\nb.wav,no,bob,training\n",
     NULL},
    {"more names", "audio_filepath,Command,spk,set\na.wav,yes,ann,evaluation\nb.wav,no,bob,train\n",
     NULL},
    {"further columns",
     "id,path,label,duration,speaker,split\n1,a.wav,yes,0.5,ann,testing\n"
     "2,b.wav,no,0.5,bob,train\n",
     "these columns are not read: 'id', 'duration'"},
    {"own names first",
     "file,wav,path,label,text,speaker,split\nx,x,a.wav,yes,x,ann,test\n"
     "y,y,b.wav,no,y,bob,train\n",
     "these columns are not read: 'file', 'wav', 'text'"},
    {"separators at the ends",
     "path,label,speaker,split,\na.wav,yes,ann,test,\n"
     "b.wav,no,bob,train,\n",
     NULL},
    {"the same again",
     "path,label,speaker,split\nb.wav,no,bob,train\na.wav,yes,ann,test\n"
     "b.wav,no,bob,train\nb.wav,no,bob,train\n",
     "2 lines repeat a clip, the first of them line 4 that of line 2; each clip counts once"},
    {"backslashes", "path,label,speaker,split\n.\\a.wav,yes,ann,test\n.\\b.wav,no,bob,train\n",
     "backslashes in paths are read as slashes"},
    {"JSON lines",
     "{\"audio_filepath\": \"a.wav\", \"duration\": 0.5, \"text\": \"yes\", \"speaker\": \"ann\", "
     "\"split\": \"test\"}\n\n"
     "{\"audio_filepath\": \"b.wav\", \"label\": \"no\", \"speaker\": \"bob\", \"split\": "
     "\"train\"}",
     NULL},
    {"JSON lines with more",
     "\xEF\xBB\xBF {\"path\": \"a.wav\", \"command\": \"yes\", \"spk\": \"ann\", \"set\": "
     "\"test\", "
     "\"lang\": [1]}\r\n"
     "{\"lang\": \"en\", \"path\": \"b.wav\", \"label\": \"no\", \"speaker\": \"bob\"}\r\n",
     "these columns are not read: 'lang'"},
};

static void manifests(void **state)
{
    char path[PATH_SIZE];
    path_in(*state, "m.csv", path);
    for (size_t i = 0; i < sizeof manifest_cases / sizeof manifest_cases[0]; i++) {
        const struct manifest_case *one = &manifest_cases[i];
        dv_dataset dataset;
        write_file(*state, "m.csv", one->text);
        if (dv_dataset_open(path, &dataset) != DV_OK)
            fail_msg("%s: %s", one->name, dv_error_message());
        if (dataset.note_count != (one->note != NULL ? 1 : 0))
            fail_msg("%s: %zu notes", one->name, dataset.note_count);
        const char *end = one->note != NULL ? strstr(dataset.notes[0], one->note) : NULL;
        if (one->note != NULL && (end == NULL || strcmp(end, one->note) != 0))
            fail_msg("%s: '%s'", one->name, dataset.notes[0]);
        assert_int_equal(dataset.count, 2);
        assert_clip(&dataset, 0, "a.wav", "yes", "ann", -1);
        assert_clip(&dataset, 1, "b.wav", "no", "bob", -1);
        assert_int_equal(dataset.clips[0].part, DV_PART_TEST);
        assert_int_equal(dataset.clips[1].part, DV_PART_TRAIN);
        dv_dataset_free(&dataset);
    }
}

/* The words that name parts. */
static void words_of_parts(void **state)
{
    static const struct {
        const char *word;
        dv_part part;
    } words[] = {{"dev", DV_PART_VALIDATION},   {"Val", DV_PART_VALIDATION},
                 {"valid", DV_PART_VALIDATION}, {"training", DV_PART_TRAIN},
                 {"testing", DV_PART_TEST},     {"EVAL", DV_PART_TEST},
                 {"evaluation", DV_PART_TEST},  {"validation", DV_PART_VALIDATION}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char path[PATH_SIZE], text[100];
        dv_dataset dataset;
        snprintf(text, sizeof text, "path,label,split\na.wav,yes,%s\n", words[i].word);
        write_file(*state, "m.csv", text);
        open_good(path_in(*state, "m.csv", path), &dataset);
        assert_int_equal(dataset.clips[0].part, words[i].part);
        assert_true(dataset.clips[0].part_given);
        dv_dataset_free(&dataset);
    }
}

/* A backslash may belong to a file's name. */
static void backslashes(void **state)
{
    char path[PATH_SIZE];
    dv_dataset dataset;
    write_file(*state, "d\\a.wav", "");
    write_file(*state, "m.csv", "path,label\nd\\a.wav,yes\n");
    open_good(path_in(*state, "m.csv", path), &dataset);
    assert_string_equal(dataset.clips[0].path, path_in(*state, "d\\a.wav", path));
    assert_int_equal(dataset.note_count, 0);
    dv_dataset_free(&dataset);

    write_file(*state, "m.csv", "path,label\nd\\b.wav,yes\n");
    open_good(path_in(*state, "m.csv", path), &dataset);
    assert_string_equal(dataset.clips[0].path, path_in(*state, "d/b.wav", path));
    assert_int_equal(dataset.note_count, 1);
    dv_dataset_free(&dataset);
}

static void bad_json_lines(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"path\": \"a\", \"label\": \"b\"}\n\n{\"path\": \"c\"\n",
         "m.json:3: each line must be a JSON object, and this one is none: "},
        {"{\n\"path\": \"a\"}\n",
         "m.json:1: each line must be a JSON object, and this one is none: "},
        {"{\"path\": \"a\", \"label\": \"b\"}\n[1]\n",
         "m.json:2: each line must be a JSON object, and this one is another value"},
        {"{\"path\": \"a\"}\n", "m.json:1: no 'label': each line is a clip"},
        {"{\"label\": \"a\"}\n", "m.json:1: no 'path': each line is a clip"},
        {"{\"path\": \"a\", \"label\": 0.5}\n",
         "m.json:1: the label is neither a text nor a whole"},
        {"{\"path\": \"a\", \"label\": null}\n", "m.json:1: the label is empty"},
        {"{\"path\": \"a\", \"path\": \"a\", \"label\": 1}\n",
         "m.json:1: each line must be a JSON object"},
        {"{\"path\": \"a\", \"file\": \"b\", \"wav\": \"c\", \"label\": \"\"}\n",
         "m.json:1: the label is empty"},
        {"{\"path\": \"a\", \"text\": \"b\", \"word\": \"c\"}\n",
         "m.json:1: both 'text' and 'word' may be the column 'label'"},
        {"{\"path\": \"a\", \"label\": 1}\n{\"path\": \"a\", \"label\": 2}\n",
         "m.json:2: line 1 names the same clip"},
        {"{\"path\": \"a\", \"label\": \"\xE9\"}\n", "m.json:1: the line is not UTF-8"},
        {"{\"path\": \"a\", \"label\": \"\\u0000\"}\n",
         "m.json:1: each line must be a JSON object"},
        {"{\"path\": \"a\", \"label\": 1, \"split\": \"tset\"}\n",
         "m.json:1: unknown split 'tset'; did you mean 'test'?"},
    };
    char path[PATH_SIZE], text[1000] = "{\"path\": \"a\"";
    path_in(*state, "m.json", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(*state, "m.json", cases[i].text);
        assert_open_fails(path, DV_EFORMAT, cases[i].message);
    }
    for (int i = 0; i < 64; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), ", \"%d\": 0", i);
    strcat(text, "}\n");
    write_file(*state, "m.json", text);
    assert_open_fails(path, DV_EFORMAT, "m.json:1: the object has more than 64 members");
}

/* Labels may be numbers, in JSON too. */
static void json_numbers(void **state)
{
    char path[PATH_SIZE];
    dv_dataset dataset;
    write_file(*state, "m.json", "{\"path\": \"a.wav\", \"label\": 7, \"speaker\": null}\n");
    open_good(path_in(*state, "m.json", path), &dataset);
    assert_clip(&dataset, 0, "a.wav", "7", "", -1);
    dv_dataset_free(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(table),          IN_FOLDER(bad_manifests),  IN_FOLDER(names_beyond_utf8),
        IN_FOLDER(manifests),      IN_FOLDER(words_of_parts), IN_FOLDER(backslashes),
        IN_FOLDER(bad_json_lines), IN_FOLDER(json_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
