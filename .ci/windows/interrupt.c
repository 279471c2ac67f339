/* interrupt FILE PROGRAM ARGUMENT…: starts the program in a console of its own, presses Ctrl-C there a second after the
   file exists, and ends with the program's status. */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

enum { FAILED = 100, LONGEST = 32768 };

static int failed(const char *action) {
    fprintf(stderr, "interrupt: cannot %s: error %lu\n", action, GetLastError());
    return FAILED;
}

int wmain(int count, wchar_t **arguments) {
    static wchar_t line[LONGEST];
    for (int at = 2; at < count; at++) {
        size_t used = wcslen(line);
        swprintf(line + used, LONGEST - used, L"%ls\"%ls\"", at == 2 ? L"" : L" ", arguments[at]);
    }
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    PROCESS_INFORMATION process;
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &start, &process))
        return failed("start the program");
    while (GetFileAttributesW(arguments[1]) == INVALID_FILE_ATTRIBUTES) {
        if (WaitForSingleObject(process.hProcess, 20) != WAIT_TIMEOUT) return failed("interrupt: it has ended");
    }
    Sleep(1300);
    FreeConsole();
    if (!AttachConsole(process.dwProcessId)) return failed("attach to its console");
    SetConsoleCtrlHandler(NULL, TRUE);
    if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) return failed("press Ctrl-C");
    if (WaitForSingleObject(process.hProcess, 60000) != WAIT_OBJECT_0) return failed("see it end");
    DWORD status;
    return GetExitCodeProcess(process.hProcess, &status) ? (int)status : failed("read its status");
}
