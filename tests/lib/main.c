/* The main() of a program that has none of its own. */

#include "tests/lib/case.h"

int main(int argc, char **argv)
{
        return run_cases(argc, argv);
}
