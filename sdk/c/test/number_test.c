/* Numbers: whole ones to 64 bits, doubles to the last bit, decimals of any length. */
#include "check.h"

#include <math.h>

CDP_PROCESSOR("unused", "1.0.0", NULL)

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

/* The C library of the machine at hand is the measure. */
static void check_reading(const char *text) {
    double expected = strtod(text, NULL), got = -1;
    bool is_read = cdp_json_double(guarded(cdp_text_of(text)), &got);
    if (isinf(expected)) CHECK(!is_read);
    else if (!is_read || bits_of(expected) != bits_of(got))
        check_failed(__FILE__, __LINE__, "%s is %a, got %a", text, expected, got);
}

TEST(whole_numbers, "Whole numbers are exact to the last one of 64 bits, and nothing else is one.") {
    int64_t number = 7;
    uint64_t large = 7;
    CHECK(cdp_json_int(CDP_TEXT("-9223372036854775808"), &number) && number == INT64_MIN);
    CHECK(cdp_json_int(CDP_TEXT("9223372036854775807"), &number) && number == INT64_MAX);
    CHECK(cdp_json_int(CDP_TEXT("9007199254740993"), &number) && number == 9007199254740993);
    CHECK(cdp_json_uint(CDP_TEXT("18446744073709551615"), &large) && large == UINT64_MAX);
    CHECK(cdp_json_int(CDP_TEXT("-0"), &number) && number == 0);
    const char *none[] = {"",
                          "-",
                          "9223372036854775808",
                          "-9223372036854775809",
                          "1.0",
                          "1e3",
                          "01",
                          "+1",
                          " 1",
                          "1 ",
                          "\"1\"",
                          "99999999999999999999999999999999"};
    for (size_t at = 0; at < sizeof none / sizeof none[0]; at++)
        CHECK(!cdp_json_int(cdp_text_of(none[at]), &number));
    CHECK(!cdp_json_uint(CDP_TEXT("18446744073709551616"), &large) && !cdp_json_uint(CDP_TEXT("-1"), &large));
    CHECK(number == 0 && large == UINT64_MAX);
}

TEST(doubles_are_read, "A decimal becomes the nearest double, an even one from the middle.") {
    const char *texts[] = {"0",
                           "-0",
                           "0.1",
                           "0.3",
                           "1e23",
                           "8.5e22",
                           "5e-324",
                           "2.4703282292062327e-324",
                           "2.4703282292062328e-324",
                           "2.2250738585072011e-308",
                           "2.2250738585072014e-308",
                           "1.7976931348623157e308",
                           "1.7976931348623159e308",
                           "1e309",
                           "123456789.125",
                           "9007199254740993",
                           "9007199254740992.5",
                           "9007199254740993.0000000000000001",
                           "0.000000000000000000000000000000000001",
                           "1e-400",
                           "1e400",
                           "100000000000000000000000000000000000000000",
                           "1.00000000000000011102230246251565404236316680908203125",
                           "1.00000000000000011102230246251565404236316680908203124",
                           "1.00000000000000011102230246251565404236316680908203126",
                           "0e999999999999999999",
                           "1e-999999999999999999"};
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++) check_reading(texts[at]);
    double value;
    CHECK(!cdp_json_double(CDP_TEXT("1e999999999999999999"), &value) &&
          !cdp_json_double(CDP_TEXT("inf"), &value));
    CHECK(!cdp_json_double(CDP_TEXT("\"1\""), &value) && !cdp_json_double(CDP_TEXT(""), &value));
}

TEST(random_decimals_are_read, "So it is with any decimal, however long.") {
    for (int round = 0; round < 20000; round++) {
        char text[1200];
        size_t at = 0, digits = 1 + random_below(round % 50 ? 40 : 1000);
        if (random_below(2)) text[at++] = '-';
        text[at++] = (char)('1' + random_below(9));
        text[at++] = '.';
        while (digits--) text[at++] = (char)('0' + random_below(10));
        sprintf(text + at, "e%d", (int)random_below(660) - 340);
        check_reading(text);
    }
}

static void check_middle(double value, const char *behind) {
    /* Between two neighbours, written in full: only the last digit tells to which of them it is nearer. */
    char text[1200];
    double above = nextafter(value, INFINITY);
    __uint128_t sum = (__uint128_t)(uint64_t)value + (uint64_t)above;
    snprintf(text, sizeof text, "%llu.%d%s", (unsigned long long)(sum / 2), sum % 2 ? 5 : 0, behind);
    check_reading(text);
}

TEST(middles_are_read,
     "The middle between two doubles goes to the even one, and just beside it to the nearer.") {
    for (int round = 0; round < 2000; round++) {
        double value = (double)((1ull << 53) + random_below(1ull << 52) * 2);
        check_middle(value, "");
        check_middle(value, "000000000000000000000000000000000000000000000000001");
    }
    char text[1100] = "4503599627370497.5";
    memset(text + strlen(text), '0', 900);
    check_reading(text);
    strcat(text, "1");
    check_reading(text);
}

static void check_writing(double value) {
    cdp_writer writer = cdp_new_writer();
    cdp_write_double(&writer, value);
    cdp_text text = cdp_written(&writer);
    double again = -1, here;
    char string[64] = {0};
    memcpy(string, text.data, text.size < 63 ? text.size : 63);
    here = strtod(string, NULL);
    if (!cdp_json_valid(text) || !cdp_json_double(text, &again) || bits_of(again) != bits_of(value) ||
        bits_of(here) != bits_of(value))
        check_failed(__FILE__, __LINE__, "%a became %s", value, string);
}

TEST(doubles_are_written,
     "A double is written so that it reads back as the same one, and no longer than needed.") {
    const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {1.0, "1.0"},
                 {-2.5, "-2.5"},
                 {1e21, "1e21"},
                 {1e20, "100000000000000000000.0"},
                 {1e-7, "1e-7"},
                 {0.000001, "0.000001"},
                 {123456789.125, "123456789.125"},
                 {1.5e300, "1.5e300"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {-0.0, "-0.0"},
                 {5e-324, "4.94065645841247e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e308"},
                 {9007199254740993.0, "9007199254740992.0"},
                 {0.5, "0.5"},
                 {100.0, "100.0"}};
    for (size_t at = 0; at < sizeof cases / sizeof cases[0]; at++) {
        cdp_writer writer = cdp_new_writer();
        cdp_write_double(&writer, cases[at].value);
        CHECK_TEXT(cases[at].text, cdp_written(&writer));
        check_writing(cases[at].value);
    }
    for (int round = 0; round < 20000; round++) {
        uint64_t bits = random_bits();
        double value;
        memcpy(&value, &bits, 8);
        if (isfinite(value)) check_writing(value);
        check_writing((double)(int64_t)random_below(1u << 30) / 1000.0);
    }
    for (int power = -1074; power < 1024; power++) check_writing(ldexp(1.0, power));
}

TEST(no_doubles, "What JSON has no number for is written as null.") {
    cdp_writer writer = cdp_new_writer();
    cdp_write_begin_array(&writer);
    cdp_write_double(&writer, INFINITY);
    cdp_write_double(&writer, NAN);
    cdp_write_end_array(&writer);
    CHECK_TEXT("[null,null]", cdp_written(&writer));
}

static int order(const char *one, const char *other) {
    int result = 99;
    CHECK(cdp_number_order(guarded(cdp_text_of(one)), guarded(cdp_text_of(other)), &result));
    return result;
}

TEST(numbers_are_ordered, "Numbers of any length are compared exactly, however they are written.") {
    CHECK_INT(0, order("1", "1.0"));
    CHECK_INT(0, order("100", "1e2"));
    CHECK_INT(0, order("-0", "0.000"));
    CHECK_INT(0, order("0.00123", "123e-5"));
    CHECK_INT(1, order("9007199254740993", "9007199254740992"));
    CHECK_INT(-1, order("123456789012345678901234567890.1", "123456789012345678901234567890.2"));
    CHECK_INT(-1, order("9", "10"));
    CHECK_INT(1, order("10.5", "10.49999999999999999999999"));
    CHECK_INT(-1, order("10.5", "10.50001"));
    CHECK_INT(-1, order("-2", "1"));
    CHECK_INT(1, order("-2", "-3"));
    CHECK_INT(-1, order("-10", "-9.99"));
    CHECK_INT(-1, order("-1", "0"));
    CHECK_INT(1, order("0", "-1e-999"));
    CHECK_INT(1, order("1e999999999999999999", "1e999999999"));
    int result = 99;
    CHECK(!cdp_number_order(CDP_TEXT("x"), CDP_TEXT("1"), &result) &&
          !cdp_number_order(CDP_TEXT("1"), CDP_TEXT(""), &result));
    CHECK_INT(99, result);
}
