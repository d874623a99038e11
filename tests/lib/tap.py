"""unittest speaking TAP: a test script ends with `tap.main()`."""
import sys
import unittest


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0

    def line(self, test, ok, directive=""):
        self.count += 1
        name = (test.shortDescription() or test.id().split(".", 1)[1]).replace("#", "")
        print(f"{'ok' if ok else 'not ok'} {self.count} - {name}{directive}", flush=True)

    def diagnose(self, test, error):
        for line in self._exc_info_to_string(error, test).rstrip().split("\n"):
            print(f"# {line}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line(test, True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(test, True, f" # SKIP {reason}")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.line(test, False)
        self.diagnose(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self.line(test, False)
        self.diagnose(test, error)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    print(f"1..{suite.countTestCases()}", flush=True)
    result = Result()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
