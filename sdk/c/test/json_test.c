/* Reading, changing and writing JSON. */
#include "check.h"

CDP_PROCESSOR("unused", "1.0.0", NULL)

static cdp_text valid[] = {
    {"0", 1},
    {"-0", 2},
    {"1.5e-7", 6},
    {"1E+9", 4},
    {"\"\"", 2},
    {"null", 4},
    {"true", 4},
    {"false", 5},
    {"[]", 2},
    {"{}", 2},
    {" [ 1 , {\"a\" : [ ] } ] \n", 22},
    {"\"\\u0000\\ud83d\\ude00\\/\"", 22},
    {"\"\xF0\x9F\x9A\x80\"", 6},
    {"{\"a\":1,\"a\":2}", 13},
    {"\"0123456789abcdef0123456789\"", 28},
    {"[[[[[[[[[[]]]]]]]]]]", 20},
    {"\"\x7F\"", 3},
};

static cdp_text invalid[] = {
    {"", 0},
    {" ", 1},
    {"01", 2},
    {"1.", 2},
    {".5", 2},
    {"-", 1},
    {"+1", 2},
    {"1e", 2},
    {"1e+", 3},
    {"0x1", 3},
    {"NaN", 3},
    {"nul", 3},
    {"nulll", 5},
    {"True", 4},
    {"\"", 1},
    {"\"\\\"", 3},
    {"\"\\u12g4\"", 8},
    {"\"\\u123", 6},
    {"\"\\x\"", 4},
    {"\"\n\"", 3},
    {"\"\0\"", 3},
    {"\"\xFF\"", 3},
    {"\"\xC0\x80\"", 4},
    {"\"\xED\xA0\x80\"", 5},
    {"\"\xF4\x90\x80\x80\"", 6},
    {"\"\xE2\x82", 3},
    {"[", 1},
    {"[1", 2},
    {"[1,", 3},
    {"[1,]", 4},
    {"[,1]", 4},
    {"[1 2]", 5},
    {"[1}", 3},
    {"{", 1},
    {"{\"a\"", 4},
    {"{\"a\":", 5},
    {"{\"a\":}", 6},
    {"{\"a\" 1}", 7},
    {"{a:1}", 5},
    {"{\"a\":1,}", 8},
    {"{\"a\":1", 6},
    {"{\"a\":1]", 7},
    {"{,}", 3},
    {"1 2", 3},
    {"[] []", 5},
    {"]", 1},
    {"\xEF\xBB\xBF{}", 5},
    {"{\"cut off\": [1, 2", 17},
    {"0123456789abcdef\"", 17},
};

TEST(what_is_json, "Text is JSON exactly where RFC 8259 says so, and nothing behind its end is read.") {
    for (size_t at = 0; at < sizeof valid / sizeof valid[0]; at++)
        if (!cdp_json_valid(guarded(valid[at])))
            check_failed(__FILE__, __LINE__, "`%.*s` is JSON", CDP_ARG(valid[at]));
    for (size_t at = 0; at < sizeof invalid / sizeof invalid[0]; at++)
        if (cdp_json_valid(guarded(invalid[at])))
            check_failed(__FILE__, __LINE__, "`%.*s` is no JSON", CDP_ARG(invalid[at]));
}

static cdp_text nested(size_t depth) {
    cdp_writer writer = cdp_new_writer();
    for (size_t at = 0; at < depth; at++) cdp_write(&writer, at % 3 ? CDP_TEXT("[") : CDP_TEXT("{\"a\":"));
    cdp_write(&writer, CDP_TEXT("1"));
    while (depth--) cdp_write(&writer, depth % 3 ? CDP_TEXT("]") : CDP_TEXT("}"));
    return cdp_written(&writer);
}

TEST(depth_is_bounded, "Values may be nested 10,000 deep, no deeper.") {
    CHECK(cdp_json_valid(nested(CDP__DEEPEST)));
    CHECK(!cdp_json_valid(nested(CDP__DEEPEST + 1)));
}

TEST(kinds, "A value tells its kind by how it begins.") {
    CHECK(cdp_json_kind(CDP_TEXT(" {")) == CDP_OBJECT && cdp_json_kind(CDP_TEXT("[")) == CDP_ARRAY);
    CHECK(cdp_json_kind(CDP_TEXT("\"")) == CDP_STRING && cdp_json_kind(CDP_TEXT("-1")) == CDP_NUMBER);
    CHECK(cdp_json_kind(CDP_TEXT("true")) == CDP_BOOL && cdp_json_kind(CDP_TEXT("null")) == CDP_NULL);
    CHECK(cdp_json_kind(CDP_TEXT("")) == CDP_NOTHING && cdp_json_kind(CDP_TEXT("?")) == CDP_NOTHING);
}

TEST(paths, "A dotted path leads through objects and arrays; a value is the text that came.") {
    cdp_text json = CDP_TEXT(
        "{ \"a\" : { \"b\" : [ 1.50 , {\"c\\u0064\" : \"x\"} ] } , \"n\": 9007199254740993, \"\": 4 }");
    CHECK_TEXT("1.50", cdp_json_find(json, "a.b.0"));
    CHECK_TEXT("\"x\"", cdp_json_find(json, "a.b.1.cd"));
    CHECK_TEXT("9007199254740993", cdp_json_find(json, "n"));
    CHECK_TEXT("", cdp_json_find(json, "a.b.2"));
    CHECK_TEXT("", cdp_json_find(json, "a.b.c"));
    CHECK_TEXT("", cdp_json_find(json, "a.b.00"));
    CHECK_TEXT("", cdp_json_find(json, "missing.too"));
    CHECK_TEXT("", cdp_json_find(json, "n.x"));
    CHECK_TEXT("", cdp_json_find(CDP_TEXT("{\"a\":1"), "a"));
}

TEST(last_counts, "Of several members of one name the last counts.") {
    cdp_object object;
    CHECK(cdp_object_read(&object, CDP_TEXT("{\"a\":1,\"b\":2,\"\\u0061\":3}")));
    CHECK_TEXT("3", cdp_object_get(&object, "a"));
    CHECK_TEXT("3", cdp_json_find(object.text, "a"));
}

TEST(strings, "Escapes become characters; half of a surrogate pair alone becomes U+FFFD.") {
    cdp_text text = CDP_TEXT("before");
    CHECK(cdp_json_text(CDP_TEXT("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude80\""), &text));
    CHECK_TEXT("a\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x9A\x80", text);
    CHECK(cdp_json_text(CDP_TEXT("\"\\ud83d \\ude80 \\ud83d\\u0041\""), &text));
    CHECK_TEXT(
        "\xEF\xBF\xBD \xEF\xBF\xBD \xEF\xBF\xBD"
        "A",
        text);
    CHECK(!cdp_json_text(CDP_TEXT("5"), &text) && !cdp_json_text(CDP_TEXT("\"a"), &text));
    CHECK(!cdp_json_text(CDP_TEXT("\"a\"b"), &text) && !cdp_json_text(cdp_text_of(NULL), &text));
}

TEST(plain_strings, "A string without escapes is not copied.") {
    cdp_text json = CDP_TEXT("\"plain\""), text;
    CHECK(cdp_json_text(json, &text));
    CHECK(text.data == json.data + 1);
}

TEST(items, "Members and items come in their order; broken text ends them and says so.") {
    cdp_items items = cdp_items_of(CDP_TEXT("{\"a\" : 1, \"\\u0062\":[ ]}"));
    cdp_text name, value;
    CHECK(cdp_next(&items, &name, &value));
    CHECK_TEXT("a", name);
    CHECK_TEXT("1", value);
    CHECK(cdp_next(&items, &name, &value));
    CHECK_TEXT("b", name);
    CHECK_TEXT("[ ]", value);
    CHECK(!cdp_next(&items, &name, &value) && !items.broken);
    items = cdp_items_of(CDP_TEXT("[1,?]"));
    CHECK(cdp_next(&items, NULL, &value) && !cdp_next(&items, NULL, &value) && items.broken);
    items = cdp_items_of(CDP_TEXT("5"));
    CHECK(!cdp_next(&items, NULL, &value) && items.broken);
}

TEST(objects, "What is left alone in an object is written as it came.") {
    cdp_object object;
    CHECK(cdp_object_read(&object, CDP_TEXT(" { \"a\" : 1.0 ,\"k\\u0065y\":\"v\", \"c\":[ 1 ] } ")));
    CHECK_TEXT("{ \"a\" : 1.0 ,\"k\\u0065y\":\"v\", \"c\":[ 1 ]}", cdp_object_text(&object));
    cdp_object_set_text(&object, "key", CDP_TEXT("new"));
    CHECK_TEXT("{ \"a\" : 1.0 ,\"k\\u0065y\":\"new\", \"c\":[ 1 ]}", cdp_object_text(&object));
    cdp_object_set_int(&object, "d", -5);
    cdp_object_set_bool(&object, "e\n", true);
    cdp_object_set_double(&object, "f", 0.1);
    CHECK_TEXT("{ \"a\" : 1.0 ,\"k\\u0065y\":\"new\", \"c\":[ 1 ],\"d\":-5,\"e\\n\":true,\"f\":0.1}",
               cdp_object_text(&object));
    cdp_object_set(&object, "d", CDP_TEXT("6"));
    cdp_object_remove(&object, "a");
    CHECK_TEXT("{\"k\\u0065y\":\"new\",\"c\":[ 1 ],\"d\":6,\"e\\n\":true,\"f\":0.1}",
               cdp_object_text(&object));
}

TEST(empty_objects, "An empty object takes fields; one that is new begins as an empty one.") {
    cdp_object object, created = CDP__ZERO;
    CHECK(cdp_object_read(&object, CDP_TEXT("{ }")));
    CHECK_TEXT("{}", cdp_object_text(&object));
    cdp_object_set_int(&object, "a", 1);
    CHECK_TEXT("{\"a\":1}", cdp_object_text(&object));
    cdp_object_remove(&object, "a");
    CHECK_TEXT("{}", cdp_object_text(&object));
    cdp_object_set_int(&created, "a", 1);
    CHECK_TEXT("{\"a\":1}", cdp_object_text(&created));
}

TEST(no_objects, "What is no object is not read, and leaves an empty one behind.") {
    cdp_object object;
    const char *texts[] = {"", "5", "[1]", "{\"a\":1", "{\"a\":1} x", "{\"a\":1}}", "null"};
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++) {
        CHECK(!cdp_object_read(&object, guarded(cdp_text_of(texts[at]))));
        CHECK_TEXT("{}", cdp_object_text(&object));
    }
}

TEST(many_fields, "An object may have any number of fields.") {
    cdp_object object = CDP__ZERO, again;
    for (int at = 0; at < 1000; at++) {
        cdp_text name = cdp_format("field %d", at);
        cdp_object_put(&object, name, cdp_format("%d", at));
    }
    CHECK(cdp_object_read(&again, cdp_object_text(&object)));
    CHECK_INT(1000, again.count);
    CHECK_TEXT("999", cdp_object_get(&again, "field 999"));
    CHECK_SAME(cdp_object_text(&object), cdp_object_text(&again));
}

TEST(writing, "Commas come by themselves, strings are escaped, bytes that are no UTF-8 become U+FFFD.") {
    cdp_writer writer = cdp_new_writer();
    cdp_write_begin_object(&writer);
    cdp_write_name(&writer, "a\"");
    cdp_write_begin_array(&writer);
    cdp_write_int(&writer, INT64_MIN);
    cdp_write_uint(&writer, UINT64_MAX);
    cdp_write_begin_array(&writer);
    cdp_write_end_array(&writer);
    cdp_write_null(&writer);
    cdp_write_bool(&writer, false);
    cdp_write_end_array(&writer);
    cdp_write_name(&writer, "b");
    cdp_write_text(&writer, CDP_TEXT("\x01\x1F\b\n\xFF"
                                     "a\xC3\xA9\xE2\x82"));
    cdp_write_name(&writer, "c");
    cdp_write_json(&writer, CDP_TEXT("{\"x\":[1]}"));
    cdp_write_name(&writer, "d");
    cdp_write_begin_object(&writer);
    cdp_write_end_object(&writer);
    cdp_write_end_object(&writer);
    CHECK_TEXT(
        "{\"a\\\"\":[-9223372036854775808,18446744073709551615,[],null,false],"
        "\"b\":\"\\u0001\\u001f\\b\\n\xEF\xBF\xBD"
        "a\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\",\"c\":{\"x\":[1]},\"d\":{}}",
        cdp_written(&writer));
    CHECK(cdp_json_valid(cdp_written(&writer)));
}

TEST(texts_survive, "Any text that is UTF-8 is the same after it was written and read.") {
    for (uint32_t code = 0; code < 0x11000; code += 7) {
        cdp_writer text = cdp_new_writer(), json = cdp_new_writer();
        if (code >= 0xD800 && code < 0xE000) continue;
        cdp__put_character(&text, code);
        cdp_write(&text, CDP_TEXT(" and some more text behind it"));
        cdp_write_text(&json, cdp_written(&text));
        cdp_text again;
        CHECK(cdp_json_text(cdp_written(&json), &again));
        CHECK_SAME(cdp_written(&text), again);
    }
}

TEST(formats, "cdp_format writes what printf would, and no more than it knows.") {
    cdp_text sliced = {"sliced away", 6};
    CHECK_TEXT("a b sliced -5 7 ff 10% c",
               cdp_format("a %s %.*s %d %u %x 10%% %c", "b", CDP_ARG(sliced), -5, 7u, 255u, 'c'));
    CHECK_TEXT("-9223372036854775808 18446744073709551615 3",
               cdp_format("%lld %llu %zu", INT64_MIN + 0LL, UINT64_MAX + 0ULL, (size_t)3));
    CHECK_TEXT("1.5 0.1 1e300", cdp_format("%g %g %g", 1.5, 0.1, 1e300));
    CHECK_TEXT("0 0", cdp_format("%x %ld", 0u, 0L));
}
