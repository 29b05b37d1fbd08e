/** What a column's header offers: sort, move, pin, width, another summary of its metric, hide. */
import {
  Menu,
  MenuDivider,
  MenuGroup,
  MenuGroupHeader,
  MenuItem,
  MenuItemRadio,
  MenuList,
  MenuPopover,
} from "@fluentui/react-components";
import {
  ArrowLeftRegular,
  ArrowRightRegular,
  ArrowSortDownLinesRegular,
  ArrowSortUpLinesRegular,
  DismissRegular,
  EyeOffRegular,
  PinOffRegular,
  PinRegular,
} from "@fluentui/react-icons";
import {
  hideColumn,
  type Layout,
  moveColumn,
  pinColumn,
  type PlacedColumn,
  replaceColumn,
  resizeColumn,
  shownIds,
  splitId,
  withSummary,
} from "./columns.ts";
import { nextOrders, type Order } from "./orders.ts";
import type { Summary } from "./source.ts";

const SUMMARIES: Readonly<Record<Summary, string>> = {
  metrics: "Last",
  min: "Lowest",
  max: "Highest",
  mean: "Mean",
};
const STEP = 40;

export interface HeaderMenuProps {
  readonly column: PlacedColumn;
  /** What the menu opens beside. */
  readonly target: HTMLElement;
  readonly isFirst: boolean;
  readonly layout: Layout;
  readonly usual: readonly string[];
  readonly orders: readonly Order[];
  readonly summaries: readonly Summary[];
  /** The summary that is best for a key: the lowest, the highest, or neither. */
  readonly best: (key: string) => Summary | undefined;
  readonly onLayout: (layout: Layout) => void;
  readonly onOrders: (orders: readonly Order[]) => void;
  readonly onClose: () => void;
}

export function HeaderMenu(props: HeaderMenuProps) {
  const { column, target, isFirst, layout, usual, orders, onLayout, onOrders, onClose } = props;
  const order = orders.find((each) => each.id === column.id);
  const place = shownIds(layout, usual).indexOf(column.id);
  const sort = (falling: boolean) => onOrders([{ id: column.id, falling }]);
  const { prefix, key } = splitId(column.id);
  const best = props.best(key);
  return (
    <Menu
      open
      onOpenChange={(_event, data) => {
        if (!data.open) onClose();
      }}
      positioning={{ target, position: "below", align: "start" }}
    >
      <MenuPopover>
        <MenuList
          hasIcons
          checkedValues={{ summary: [prefix] }}
          onCheckedValueChange={(_event, data) => {
            const [summary] = data.checkedItems;
            if (summary === undefined) return;
            onLayout(
              replaceColumn(layout, usual, column.id, withSummary(column.id, summary as Summary)),
            );
            onClose();
          }}
        >
          <MenuItem
            icon={<ArrowSortUpLinesRegular />}
            disabled={!column.sortable}
            onClick={() => sort(false)}
          >
            Sort rising
          </MenuItem>
          <MenuItem
            icon={<ArrowSortDownLinesRegular />}
            disabled={!column.sortable}
            onClick={() => sort(true)}
          >
            Sort falling
          </MenuItem>
          {orders.length > 0 && !order && column.sortable && (
            <MenuItem onClick={() => onOrders(nextOrders(orders, column.id, true))}>
              Then sort by this
            </MenuItem>
          )}
          {order && (
            <MenuItem
              icon={<DismissRegular />}
              onClick={() => onOrders(orders.filter((each) => each !== order))}
            >
              Do not sort by this
            </MenuItem>
          )}
          {column.group === "metric" && (
            <>
              <MenuDivider />
              <MenuGroup>
                <MenuGroupHeader>Show</MenuGroupHeader>
                {props.summaries.map((summary) => (
                  <MenuItemRadio key={summary} name="summary" value={summary}>
                    {SUMMARIES[summary]}
                    {summary === best ? " (best)" : ""}
                  </MenuItemRadio>
                ))}
              </MenuGroup>
            </>
          )}
          <MenuDivider />
          <MenuItem
            icon={<ArrowLeftRegular />}
            disabled={place <= 1}
            onClick={() => onLayout(moveColumn(layout, usual, column.id, place - 1))}
          >
            Move left
          </MenuItem>
          <MenuItem
            icon={<ArrowRightRegular />}
            disabled={isFirst}
            onClick={() => onLayout(moveColumn(layout, usual, column.id, place + 1))}
          >
            Move right
          </MenuItem>
          <MenuItem
            icon={column.pinned ? <PinOffRegular /> : <PinRegular />}
            disabled={isFirst}
            onClick={() => onLayout(pinColumn(layout, column.id, !column.pinned))}
          >
            {column.pinned ? "Unpin" : "Pin to the left"}
          </MenuItem>
          <MenuItem
            persistOnClick
            onClick={() => onLayout(resizeColumn(layout, column.id, column.width + STEP))}
          >
            Wider
          </MenuItem>
          <MenuItem
            persistOnClick
            onClick={() => onLayout(resizeColumn(layout, column.id, column.width - STEP))}
          >
            Narrower
          </MenuItem>
          <MenuItem
            icon={<EyeOffRegular />}
            disabled={isFirst}
            onClick={() => onLayout(hideColumn(layout, column.id))}
          >
            Hide
          </MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}
