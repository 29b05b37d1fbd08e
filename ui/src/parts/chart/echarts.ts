/** The pieces of ECharts that charts are made of; nothing else of it is loaded. */
import {
  BarChart,
  BoxplotChart,
  CustomChart,
  LineChart,
  ParallelChart,
  ScatterChart,
} from "echarts/charts";
import {
  GridComponent,
  LegendComponent,
  ParallelComponent,
  TitleComponent,
  TooltipComponent,
} from "echarts/components";
import { graphic, init, use as register } from "echarts/core";
import { CanvasRenderer, SVGRenderer } from "echarts/renderers";
import { COURSE, type CourseShape, isPointedAt, type Pen, traceCourse } from "./options/crowd.ts";

register([
  BarChart,
  BoxplotChart,
  CustomChart,
  LineChart,
  ParallelChart,
  ScatterChart,
  GridComponent,
  LegendComponent,
  ParallelComponent,
  TitleComponent,
  TooltipComponent,
  CanvasRenderer,
  SVGRenderer,
]);

interface Placed {
  readonly shape: CourseShape;
  transformCoordToLocal(x: number, y: number): number[];
}

const course = {
  type: COURSE,
  buildPath: (pen: Pen, shape: object) => traceCourse(pen, (shape as CourseShape).course),
  // Its own way of telling whether it is pointed at spares looking at every piece of every line.
  contain(this: Placed, x: number, y: number): boolean {
    const [localX = x, localY = y] = this.transformCoordToLocal(x, y);
    return isPointedAt(this.shape.course, localX, localY);
  },
};
graphic.registerShape(COURSE, graphic.extendShape(course));

export { init };
