-- A training script, one request after another on one connection: create a run, log its params,
-- log a metric twenty times, finish. "requests" counts answers.
-- Arguments: the experiment's id, the number of metrics per run.

dofile("counted.lua")

local API = "/api/2.0/mlflow/"
local experiment, metrics, step, run

local function post(call, body)
  return wrk.format("POST", API .. call, { ["Content-Type"] = "application/json" }, body)
end

local function params()
  local each = {}
  for index = 0, 9 do
    each[#each + 1] = string.format('{"key":"p%d","value":"v%d"}', index, index)
  end
  return "[" .. table.concat(each, ",") .. "]"
end

function init(arguments)
  experiment = arguments[1]
  metrics = tonumber(arguments[2])
  step = 0
end

-- wrk asks for one request more than it sends, so only answers move the script on.
function request()
  if step == 0 then
    return post("runs/create", string.format(
      '{"experiment_id":"%s","start_time":1795000000000,"run_name":"training",'
      .. '"tags":[{"key":"mlflow.user","value":"bench"}]}', experiment))
  elseif step == 1 then
    return post("runs/log-batch", string.format('{"run_id":"%s","params":%s}', run, params()))
  elseif step <= metrics + 1 then
    return post("runs/log-metric", string.format(
      '{"run_id":"%s","key":"loss","value":%.6f,"timestamp":%d,"step":%d}',
      run, 1 / step, 1795000000000 + step, step - 2))
  end
  return post("runs/update", string.format(
    '{"run_id":"%s","status":"FINISHED","end_time":1795000099000}', run))
end

function response(status, _, body)
  if step == 0 then
    run = string.match(body, '"run_id"%s*:%s*"([^"]+)"')
    if status ~= 200 or not run then wrk.thread:stop() return end
  end
  step = (step + 1) % (metrics + 3)
end
