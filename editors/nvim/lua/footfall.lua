-- Coverage and times of Python files, from `footfall serve --stdio`: signs for lines that ran, ran in part or never
-- ran, the time of hot lines behind them, and which tests run a line.
--
--     require("footfall").setup({ command = { ".venv/bin/footfall", "serve", "--stdio" } })
--
-- The marks are extmarks, so they move with the text while it is edited.

local M = {}

--- By buffer, the highlight group of each sign by its extmark's number.
M.signs = {}

local config = { command = { "footfall", "serve", "--stdio" }, least_share = 0.005 }
local namespace = vim.api.nvim_create_namespace("footfall")
local job, received, last_id = nil, "", 0
local waiting = {}
local ENDED = "the service has ended, :FootfallRestart starts it again"
local why_not = ENDED
-- where the service runs, whatever `:cd` says since; paths in answers are relative to `root`
local directory, root

local signs = {
  run = { "▎", "FootfallRun" },
  partial = { "▎", "FootfallPartial" },
  missing = { "▎", "FootfallMissing" },
}
local colors = {
  FootfallRun = "DiffAdd",
  FootfallPartial = "WarningMsg",
  FootfallMissing = "ErrorMsg",
  FootfallStale = "Comment",
  FootfallHeat = "Comment",
  FootfallBranch = "WarningMsg",
}

local function send(message)
  message.jsonrpc = "2.0"
  local text = vim.fn.json_encode(message)
  -- one that has just ended can't be written to
  return (pcall(vim.fn.chansend, job, ("Content-Length: %d\r\n\r\n%s"):format(#text, text)))
end

--- Return what went wrong and the next step.
local function describe(err)
  local help = err.data and err.data.help
  return "footfall: " .. err.message .. (help and help ~= "" and " " .. help or "")
end

--- Ask the service; `on_result` gets the result, `on_error` (optional) the error.
function M.request(method, params, on_result, on_error)
  if not job then
    return vim.notify("footfall: " .. why_not, vim.log.levels.WARN)
  end
  last_id = last_id + 1
  waiting[last_id] = { on_result = on_result, on_error = on_error }
  if not send({ id = last_id, method = method, params = next(params) and params or vim.empty_dict() }) then
    waiting[last_id] = nil
    vim.notify("footfall: " .. ENDED, vim.log.levels.WARN)
  end
end

local function receive(message)
  if message.method == "data/changed" then
    return M.refresh_all()
  end
  local call = waiting[message.id]
  waiting[message.id or 0] = nil
  if message.error then
    local on_error = call and call.on_error or function(err)
      vim.notify(describe(err), vim.log.levels.WARN)
    end
    on_error(message.error)
  elseif call then
    call.on_result(message.result)
  end
end

local function on_stdout(from, pieces)
  if from ~= job then
    return -- of a service that another has replaced
  end
  received = received .. table.concat(pieces, "\n")
  while true do
    local _, stop, length = received:find("^Content%-Length: (%d+)\r\n\r\n")
    if not stop or #received < stop + length then
      return
    end
    local text = received:sub(stop + 1, stop + length)
    received = received:sub(stop + length + 1)
    receive(vim.fn.json_decode(text))
  end
end

--- Return a function from a measured line to its line in the file now; nil for lines that changed.
local function mover(answer)
  if answer.is_stale ~= true then
    return function(line)
      return line
    end
  end
  local blocks = answer.unchanged ~= vim.NIL and answer.unchanged or {}
  return function(line)
    for _, block in ipairs(blocks) do
      if line >= block[1] and line < block[1] + block[3] then
        return line - block[1] + block[2]
      end
    end
  end
end

--- Return the same, with a line for those that changed: where the unchanged lines above them end.
local function nearest(answer)
  local now = mover(answer)
  return function(line)
    local above = 1
    for _, block in ipairs(answer.unchanged) do
      above = block[1] < line and block[2] + block[3] or above
    end
    return now(line) or above
  end
end

local function mark(buffer, line, options)
  if line and line <= vim.api.nvim_buf_line_count(buffer) then
    local id = vim.api.nvim_buf_set_extmark(buffer, namespace, line - 1, 0, options)
    M.signs[buffer][id] = options.sign_hl_group
  end
end

local function show_coverage(buffer, answer)
  local now, states = mover(answer), {}
  for _, line in ipairs(answer.coverage.executed_lines) do
    states[line] = "run"
  end
  for _, line in ipairs(answer.coverage.missing_lines) do
    states[line] = "missing"
  end
  for line, ways in pairs(answer.branches) do
    for _, way in ipairs(ways) do
      if not way.taken then
        local at = now(way.to)
        local to = way.to <= 0 and "the exit" or at and "line " .. at or "a line that changed since"
        states[tonumber(line)] = "partial"
        mark(buffer, now(tonumber(line)), { virt_text = { { "never to " .. to, "FootfallBranch" } } })
      end
    end
  end
  for line, state in pairs(states) do
    local text, group = unpack(signs[state])
    mark(buffer, now(line), { sign_text = text, sign_hl_group = answer.is_stale == true and "FootfallStale" or group })
  end
end

local function show_times(buffer, answer)
  local now = mover(answer)
  for line, times in pairs(answer.lines) do
    if times.total_share >= config.least_share then
      local text = ("%.1f %% own, %.1f %% in all"):format(100 * times.own_share, 100 * times.total_share)
      mark(buffer, now(tonumber(line)), { virt_text = { { text, "FootfallHeat" } } })
    end
  end
end

--- Show anew what is known of a buffer. A file without data has no marks.
function M.refresh(buffer)
  if not job then
    return -- in a directory without footfall, reading a file is no reason for a message
  end
  local path = vim.api.nvim_buf_get_name(buffer)
  local function keep_quiet() end
  local function clear()
    if vim.api.nvim_buf_is_valid(buffer) then
      vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
      M.signs[buffer] = {}
      return M.signs[buffer]
    end
  end
  M.request("coverage/file", { path = path }, function(answer)
    local ours = clear()
    if ours then
      show_coverage(buffer, answer)
      M.request("profile/lines", { path = path }, function(times)
        if vim.api.nvim_buf_is_valid(buffer) and M.signs[buffer] == ours then -- not refreshed again since
          show_times(buffer, times)
        end
      end, keep_quiet)
    end
  end, function(err)
    if clear() and err.data and err.data.slug == "source-unknown" then
      mark(buffer, 1, { virt_text = { { err.message, "FootfallStale" } } })
    end
  end)
end

function M.refresh_all()
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].filetype == "python" then
      M.refresh(buffer)
    end
  end
end

local function counted(count, what)
  return ("%d %s%s"):format(count, what, count == 1 and "" or "s")
end

--- Return where a file of an answer is.
local function absolute(file)
  return file:sub(1, 1) == "/" and file or (root or directory) .. "/" .. file
end

--- Return the row of a test in the quickfix list: pytest's names have the file, and the function to search for in it.
local function row_of(test)
  local file, rest = test:match("^(.-)::(.+)$")
  local name = rest and rest:gsub("%[.*", ""):match("[^:]+$")
  return { filename = file and absolute(file), pattern = name and ("\\<%s\\>"):format(name), text = test }
end

--- Put the tests that run the cursor's line into the quickfix list.
function M.who_tests()
  local line, path = vim.api.nvim_win_get_cursor(0)[1], vim.api.nvim_buf_get_name(0)
  if path == "" or vim.bo.modified then
    -- the answer is about the file, not about a text that was not written
    return vim.notify("footfall: write the buffer to its file first", vim.log.levels.WARN)
  end
  M.request("tests/of_line", { path = path, line = line, count = 0 }, function(answer)
    local place = ("%s:%d"):format(answer.name, line)
    if #answer.tests == 0 then
      if answer.state == "none" then
        return vim.notify(("footfall: there is no statement at %s"):format(place))
      elseif answer.state == "excluded" then
        return vim.notify(("footfall: %s is excluded from coverage"):format(place))
      end
      local others = answer.is_run_outside_tests and ", code outside of tests does" or ""
      return vim.notify(("footfall: no test runs %s%s"):format(place, others))
    end
    vim.fn.setqflist({}, " ", { title = "Tests of " .. place, items = vim.tbl_map(row_of, answer.tests) })
    vim.notify(("footfall: %s, see :copen"):format(counted(#answer.tests, "test")))
  end)
end

--- Return what is to be said of files that are not as they were measured, and of those that are left out.
local function on_stale(answer)
  local said = ""
  if #answer.stale_files > 0 then
    said = ("; changed since measured: %s"):format(table.concat(answer.stale_files, ", "))
  end
  if #answer.unreadable > 0 then
    local names = vim.tbl_map(function(file)
      return file.name
    end, answer.unreadable)
    said = said .. ("; left out: %s"):format(table.concat(names, ", "))
  end
  return said
end

--- Put the code that no test runs into the quickfix list, what takes the most time first.
function M.gaps()
  M.request("coverage/gaps", { count = 0 }, function(answer)
    local movers = vim.tbl_map(function(blocks)
      return nearest({ is_stale = true, unchanged = blocks })
    end, answer.unchanged)
    local items = vim.tbl_map(function(gap)
      local name = gap["function"] == "" and "the top level" or gap["function"]
      local now = movers[gap.file]
      local text = ("%s: %s%s"):format(name, gap.missing, now and " as measured" or "")
      return { filename = absolute(gap.file), lnum = now and now(gap.start_line) or gap.start_line, text = text }
    end, answer.gaps)
    vim.fn.setqflist({}, " ", { title = "Untested code", items = items })
    vim.notify(("footfall: %s, see :copen%s"):format(counted(#items, "place"), on_stale(answer)))
  end)
end

--- Start the service, for the first time or again.
function M.start()
  if job then
    vim.fn.jobstop(job)
  end
  job, received, waiting, why_not = nil, "", {}, ENDED
  local cwd, command = directory or vim.fn.getcwd(), vim.deepcopy(config.command)
  if command[1]:find("^[^/~].*/") then
    command[1] = cwd .. "/" .. command[1]
  end
  if vim.fn.executable(command[1]) == 0 then
    why_not = config.command[1] .. " is not there, or can't be executed"
    return
  end
  local function on_exit(ended)
    if ended == job then -- not one that another has replaced
      job, received, waiting = nil, "", {}
    end
  end
  local started = vim.fn.jobstart(command, { cwd = cwd, on_stdout = on_stdout, on_exit = on_exit })
  if started <= 0 then
    why_not = "can't start " .. table.concat(config.command, " ")
    return
  end
  job, directory = started, cwd
  M.request("initialize", { protocol_version = 1 }, function(answer)
    root = answer.root
    M.refresh_all()
  end)
end

function M.restart()
  M.start()
  if not job then
    vim.notify("footfall: " .. why_not, vim.log.levels.WARN)
  end
end

function M.setup(options)
  config = vim.tbl_extend("force", config, options or {})
  directory, root = nil, nil
  for name, link in pairs(colors) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
  vim.api.nvim_create_user_command("FootfallWhoTests", M.who_tests, {})
  vim.api.nvim_create_user_command("FootfallGaps", M.gaps, {})
  vim.api.nvim_create_user_command("FootfallRestart", M.restart, {})
  M.start()
  local group = vim.api.nvim_create_augroup("footfall", {})
  vim.api.nvim_create_autocmd({ "BufReadPost", "BufWritePost" }, {
    group = group,
    pattern = "*.py",
    callback = function(event)
      M.refresh(event.buf)
    end,
  })
end

return M
