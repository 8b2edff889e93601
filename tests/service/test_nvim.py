"""editors/nvim in a Neovim without a screen, where one is installed."""

import json
import os
import pathlib
import shutil
import subprocess
import sysconfig

import pytest

from conftest import REPOSITORY
from service_client import BUSY_LINE, make_project

pytestmark = [pytest.mark.any_python, pytest.mark.skipif(shutil.which("nvim") is None, reason="there is no Neovim")]

_COMMAND = os.path.join(sysconfig.get_path("scripts"), "footfall")

# each step waits until what it is about is there
_SCRIPT = r"""
local found = {}
local function wait(what, is_there)
  assert(vim.wait(60000, is_there, 20), what)
end
local namespace = vim.api.nvim_create_namespace("footfall")
local plugin = require("footfall")
local function marks()
  return vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })
end
local function signs()
  local lines = {}
  for _, mark in ipairs(marks()) do
    local line = tostring(mark[2] + 1)
    lines[line] = lines[line] or plugin.signs[vim.api.nvim_get_current_buf()][mark[1]]
  end
  return lines
end
local function texts(line)
  local all = {}
  for _, mark in ipairs(marks()) do
    if mark[2] + 1 == line and mark[4].virt_text then table.insert(all, mark[4].virt_text[1][1]) end
  end
  table.sort(all)
  return all
end

-- `init.lua` is read in every directory: where footfall is not, only a command says so
plugin.setup({ command = { "./not-here/footfall", "serve", "--stdio" } })
vim.cmd("edit test_shop.py")
found.quiet = vim.fn.execute("messages")
vim.cmd("FootfallGaps")
found.told = vim.fn.execute("messages")

plugin.setup({ command = { "./installed-footfall", "serve", "--stdio" }, least_share = 0 })
vim.cmd("edit shop.py")
wait("marks", function() return #texts(BUSY_LINE) > 0 end)
found.signs = signs()
found.branch, found.heat = texts(6), texts(BUSY_LINE)
vim.cmd("redraw!")
found.screen = vim.tbl_map(function(row) return vim.fn.screenstring(row, 1) end, { 1, 3, 7 })

vim.api.nvim_win_set_cursor(0, { 2, 0 })
vim.cmd("FootfallWhoTests")
wait("tests", function() return #vim.fn.getqflist() > 0 end)
found.tests = vim.tbl_map(function(item) return item.text end, vim.fn.getqflist())
found.pattern = vim.fn.getqflist()[1].pattern
local said = {}
local notify = vim.notify
vim.notify = function(text) table.insert(said, text) end
local function say(command, line)
  if line then vim.api.nvim_win_set_cursor(0, { line, 0 }) end
  local before = #said
  vim.cmd(command)
  wait(command, function() return #said > before end)
end
say("FootfallWhoTests", 18) -- one test
say("FootfallWhoTests", 17) -- only the import
say("FootfallWhoTests", 13) -- nothing
say("FootfallWhoTests", 9) -- no statement
vim.cmd("new")
say("FootfallWhoTests")
vim.cmd("close")
vim.fn.system({ "pkill", "-P", tostring(vim.fn.getpid()), "-f", "serve" })
local heard = { unpack(said) }
wait("the end of the service", function()
  vim.cmd("FootfallWhoTests")
  return said[#said]:find("has ended")
end)
table.insert(heard, said[#said])
said = heard
vim.cmd("FootfallRestart")
say("FootfallWhoTests", 18)
found.said = said
vim.notify = notify
vim.cmd("FootfallGaps")
wait("gaps", function() return vim.fn.getqflist({ title = 0 }).title == "Untested code" end)
found.gaps = vim.tbl_map(function(item) return item.lnum end, vim.fn.getqflist())

-- elsewhere, rows are still of the project's files, and the service starts again where it was
local home, elsewhere = vim.fn.getcwd(), vim.fn.tempname()
vim.fn.mkdir(elsewhere)
local function row_files()
  return vim.tbl_map(function(item) return vim.fn.fnamemodify(vim.fn.bufname(item.bufnr), ":p") end, vim.fn.getqflist())
end
vim.fn.setqflist({})
vim.cmd("cd " .. elsewhere)
vim.cmd("FootfallRestart")
vim.api.nvim_win_set_cursor(0, { 2, 0 })
vim.cmd("FootfallWhoTests")
wait("tests", function() return #vim.fn.getqflist() == 2 end)
found.test_files = row_files()
vim.cmd("FootfallGaps")
wait("gaps", function() return vim.fn.getqflist({ title = 0 }).title == "Untested code" end)
found.gap_files = row_files()
-- an error has its next step
vim.notify = function(text) table.insert(said, text) end
vim.cmd("edit " .. elsewhere .. "/other.py")
vim.cmd("silent write")
found.said = { unpack(said) }
say("FootfallWhoTests")
found.outside = said[#said]
vim.notify = notify
vim.cmd("cd " .. home)
vim.cmd("edit shop.py")
wait("marks", function() return #texts(BUSY_LINE) > 0 end)

vim.api.nvim_buf_set_lines(0, 0, 0, false, { "# a line", "# another" })
found.moved = signs()
vim.fn.system({ "git", "init", "-q" })
vim.fn.system({ "git", "hash-object", "-w", "shop.py" })
vim.cmd("write")
wait("stale marks", function() return signs()["3"] == "FootfallStale" end)
found.stale = signs()
vim.notify = function(text) table.insert(said, text) end
say("FootfallGaps")
vim.notify = notify
found.gaps_now = vim.tbl_map(function(item) return item.lnum end, vim.fn.getqflist())
found.stale_said = said[#said]
vim.api.nvim_buf_set_lines(0, 8, 9, false, { "        total = 1" }) -- to which line 6 never went
vim.cmd("write")
wait("a branch", function() return vim.tbl_contains(texts(8), "never to a line that changed since") end)
-- a new service knows the measured text from git alone
vim.fn.delete(".git", "rf")
vim.cmd("FootfallRestart")
wait("why there are no marks", function() return #texts(1) > 0 end)
found.unmarked, found.why_unmarked = signs(), texts(1)

vim.fn.writefile({ vim.fn.json_encode(found) }, "found.json")
vim.cmd("qall!")
"""


def test_marks_follow_coverage_times_and_edits(tmp_path: pathlib.Path) -> None:
    """Signs and times at their lines, tests and gaps in the list; they move with the text, and are grey once stale."""
    make_project(tmp_path)
    (tmp_path / "installed-footfall").symlink_to(_COMMAND)
    script = f"local BUSY_LINE = {BUSY_LINE}\nlocal function main()\n{_SCRIPT}\nend\n"
    script += 'local done, what = pcall(main)\nif not done then io.stderr:write(what) vim.cmd("cquit!") end\n'
    (tmp_path / "script.lua").write_text(script)
    command = ["nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "--cmd", f"set rtp+={REPOSITORY}/editors/nvim"]
    done = subprocess.run(
        [*command, "-c", "filetype on", "-c", "luafile script.lua"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["signs"] == {
        **dict.fromkeys(("1", "2", "8", "11", "17", "18"), "FootfallRun"),
        **dict.fromkeys(("7", "12", "13", "14"), "FootfallMissing"),
        "6": "FootfallPartial",
    }
    assert "footfall" not in found["quiet"]
    assert found["told"].endswith("footfall: ./not-here/footfall is not there, or can't be executed")
    assert found["screen"] == ["▎", " ", "▎"]
    assert found["branch"] == ["never to line 7"]
    assert found["heat"][0].endswith("% in all")
    assert found["tests"] == ["test_shop.py::test_member", "test_shop.py::test_price"]
    assert found["pattern"] == r"\<test_member\>"
    assert found["said"] == [
        "footfall: 1 test, see :copen",
        "footfall: no test runs shop.py:17, code outside of tests does",
        "footfall: no test runs shop.py:13",
        "footfall: there is no statement at shop.py:9",
        "footfall: write the buffer to its file first",
        "footfall: the service has ended, :FootfallRestart starts it again",
        "footfall: 1 test, see :copen",
    ]
    assert sorted(found["gaps"]) == [1, 11]
    assert sorted(found["gaps_now"]) == [3, 13]
    assert found["stale_said"] == "footfall: 2 places, see :copen; changed since measured: shop.py"
    assert found["test_files"] == [str(tmp_path / "test_shop.py")] * 2
    assert found["gap_files"] == [str(tmp_path / "shop.py")] * 2
    assert found["outside"].endswith("nor in its data. Start footfall in the project's directory.")
    assert found["moved"] == {str(int(line) + 2): group for line, group in found["signs"].items()}
    assert found["stale"] == dict.fromkeys(found["moved"], "FootfallStale")
    assert not found["unmarked"]
    (why,) = found["why_unmarked"]
    assert why.endswith("shop.py in .coverage: it was changed since, and git does not have what was measured.")
