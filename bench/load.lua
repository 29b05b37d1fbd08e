-- The load of one wrk thread: sends the requests of a plan round-robin, a running number spliced
-- into each.
-- Argument: the plan's file.

dofile("counted.lua")

local plan, number

local function head(request, path, length)
  local lines = { request.method .. " " .. path .. " HTTP/1.1", "Host: " .. wrk.host }
  if length > 0 then
    lines[#lines + 1] = "Content-Type: " .. request.kind
    lines[#lines + 1] = "Content-Length: " .. length
  end
  lines[#lines + 1] = "\r\n"
  return table.concat(lines, "\r\n")
end

local function text(request, spliced)
  local body = table.concat(request.body, spliced)
  return head(request, table.concat(request.path, spliced), #body) .. body
end

function init(arguments)
  plan = dofile(arguments[1])
  number = 0
  for _, request in ipairs(plan) do
    if #request.path == 1 and #request.body < 2 then
      request.ready = text(request, "")
    end
  end
end

function request()
  number = number + 1
  local chosen = plan[number % #plan + 1]
  return chosen.ready or text(chosen, string.format("%d", number))
end
